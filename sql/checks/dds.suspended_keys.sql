-- Law dds.suspended_keys: every key that a first load has taken off is back.
-- Params: none
select
    id,
    restoring
from dds.suspended_keys;
