-- Every message of the log, as it was received, to be judged again. In no order: the table is read once, from its start to its end.
-- From: stg.order_event_log
-- Grain: value_hash
-- Rerun: reads only
-- Params: none
select
    value_hash,
    value::text as value,
    topic,
    "partition",
    "offset"
from stg.order_event_log;
