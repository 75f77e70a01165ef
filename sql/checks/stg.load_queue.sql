-- Law stg.load_queue: what waits for the vault is in STG, and of the order that the queue says.
-- Over: all
-- Params: none
select
    queue.source,
    queue.value_hash,
    queue.load_dt
from stg.load_queue as queue
where
    not exists (
        select 1
        from stg.order_event_log as log
        where
            queue.source = 'order_event_log'
            and log.value_hash = queue.value_hash
            and log.object_id = coalesce(queue.object_id, log.object_id)
            and coalesce(queue.h_order_pk = dds.hash_key(log.object_id::text), true)
    )
    and not exists (
        select 1
        from stg.reference_log as log
        where
            queue.source = 'reference_log'
            and log.value_hash = queue.value_hash
    );

-- Law stg.load_queue.age: nothing waits for the vault longer than it may.
-- Over: all
-- Params: queued_before
select
    source,
    count(*) as waiting,
    min(load_dt) as waiting_since
from stg.load_queue
where load_dt < %(queued_before)s::timestamptz
group by source;
