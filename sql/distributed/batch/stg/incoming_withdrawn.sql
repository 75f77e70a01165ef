-- As two statements: what a distributed table loses can't be handed on.
-- From: incoming_orders, stg.withdrawn
-- Grain: a message of Kafka
-- Rerun: changes nothing
-- Params: none
insert into incoming_dead_letters (value_hash, raw, topic, "partition", "offset", reason, detail)
select
    incoming.value_hash,
    convert_to(incoming.value, 'UTF8'),
    incoming.topic,
    incoming."partition",
    incoming."offset",
    'withdrawn',
    'withdrawn by ' || known.withdrawn_by
from incoming_orders as incoming
inner join stg.withdrawn as known on incoming.value_hash = known.value_hash;

delete from incoming_orders
where value_hash in (select known.value_hash from stg.withdrawn as known);
