-- Law stg.order_event_log: each message of the log waits in the queue, or the vault knows its order, its guest, its restaurant and
-- the links to its dishes.
-- Over: rows
-- Params: first_key, last_key, changed_since
select
    log.object_id as order_id,
    log.value_hash,
    log.load_dt
from stg.order_event_log as log
where
    (
        log.value_hash between %(first_key)s::uuid and %(last_key)s::uuid
        or log.load_dt > %(changed_since)s::timestamptz
    )
    and (
        not exists (
            select 1
            from dds.h_order as hub
            where hub.h_order_pk = dds.hash_key(log.object_id::text)
        )
        or not exists (
            select 1
            from dds.h_restaurant as hub
            where hub.h_restaurant_pk = dds.hash_key(log.restaurant_id)
        )
        or not exists (
            select 1
            from dds.l_order_user as link
            where link.hk_order_user_pk = dds.hash_key(log.object_id::text, log.user_id)
        )
        or exists (
            select 1
            from unnest(log.item_ids) as item (product_id)
            where
                not exists (
                    select 1
                    from dds.l_order_product as link
                    where link.hk_order_product_pk = dds.hash_key(log.object_id::text, item.product_id)
                )
        )
    )
    and not exists (
        select 1
        from stg.load_queue as queue
        where
            queue.source = 'order_event_log'
            and queue.value_hash = log.value_hash
    );
