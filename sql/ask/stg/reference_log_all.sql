-- Every document of the log, as it was received, to be judged again. In no order: the table is read once, from its start to its end.
-- From: stg.reference_log, stg.withdrawn
-- Grain: value_hash
-- Rerun: reads only
-- Params: none
select
    log.value_hash,
    log.value::text as value,
    log.object_type,
    log.object_id,
    known.withdrawn_by || ': ' || known.why as withdrawn
from stg.reference_log as log
left join stg.withdrawn as known on log.value_hash = known.value_hash;
