-- Every message of the log, as it was received, to be judged again. In no order: the table is read once, from its start to its end.
-- From: stg.order_event_log, stg.withdrawn
-- Grain: value_hash
-- Rerun: reads only
-- Params: none
select
    log.value_hash,
    log.value::text as value,
    log.topic,
    log."partition",
    log."offset",
    known.withdrawn_by || ': ' || known.why as withdrawn
from stg.order_event_log as log
left join stg.withdrawn as known on log.value_hash = known.value_hash;
