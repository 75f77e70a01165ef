-- The messages of a guest's orders that name the guest. The vault knows of which orders; what it has not loaded yet is in the queue.
-- From: dds.es_order_user, dds.h_order, stg.load_queue, stg.order_event_log
-- Grain: value_hash
-- Rerun: harmless
-- Params: guest_id
with orders as (
    select hub.order_id
    from dds.es_order_user as owner
    inner join dds.h_order as hub on owner.h_order_pk = hub.h_order_pk
    where owner.h_user_pk = dds.hash_key(%(guest_id)s::text)

    union

    select log.object_id
    from stg.load_queue as queue
    inner join stg.order_event_log as log on queue.value_hash = log.value_hash
    where
        queue.source = 'order_event_log'
        and log.user_id = %(guest_id)s::text
)

select
    log.value_hash,
    log.value::text
from orders
inner join stg.order_event_log as log on orders.order_id = log.object_id
where log.user_id = %(guest_id)s::text;
