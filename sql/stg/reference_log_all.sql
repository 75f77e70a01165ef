-- Every document of the log, as it was received, to be judged again. In no order: the table is read once, from its start to its end.
-- From: stg.reference_log
-- Grain: value_hash
-- Rerun: reads only
-- Params: none
select
    value_hash,
    value::text as value,
    object_type,
    object_id
from stg.reference_log;
