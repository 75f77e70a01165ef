-- Moves what somebody has withdrawn from the accepted of a chunk to the refused: the same content stays out, however often it comes.
-- From: incoming_orders, stg.withdrawn
-- Grain: a message of Kafka
-- Rerun: changes nothing
-- Params: none
with gone as (
    delete from incoming_orders as incoming
    using stg.withdrawn as known
    where incoming.value_hash = known.value_hash
    returning
        incoming.value_hash,
        incoming.value,
        incoming.topic,
        incoming."partition",
        incoming."offset",
        'withdrawn by ' || known.withdrawn_by as detail
)

insert into incoming_dead_letters (value_hash, raw, topic, "partition", "offset", reason, detail)
select
    value_hash,
    convert_to(value::text, 'UTF8'),
    topic,
    "partition",
    "offset",
    'withdrawn',
    detail
from gone;
