-- Law dds.suspended_keys: every key that a first load has taken off is back.
-- Over: all
-- Params: none
select
    id,
    restoring
from dds.suspended_keys;
