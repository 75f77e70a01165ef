-- As of when the tags stand.
-- From: cdm.tag_clock
-- Grain: one row, or none before the first run
-- Rerun: reads only
-- Params: none
select as_of
from cdm.tag_clock;
