-- One row = the moment as of which the tags stand.
-- From: cdm.tag_clock
select as_of
from cdm.tag_clock;
