-- Law dds.es_order_product: each row tells of a link that exists (looked up by its key), and STG holds the version that says so.
-- Over: orders
-- Params: none
select
    effectivity.h_order_pk,
    effectivity.h_product_pk,
    effectivity.value_hash
from batch_checked_orders as checked
inner join dds.es_order_product as effectivity on checked.h_order_pk = effectivity.h_order_pk
left join dds.h_product as product_hub on effectivity.h_product_pk = product_hub.h_product_pk
where
    not exists (
        select 1
        from dds.l_order_product as link
        where link.hk_order_product_pk = dds.hash_key(checked.order_id::text, product_hub.product_id)
    )
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = effectivity.value_hash
    );

-- Law dds.es_order_product.newest: each order now holds the dishes of its newest message and no others. Orders with a message in the
-- queue are left out.
-- Over: orders
-- Params: none
select
    checked.order_id,
    differing.newest_product_id,
    differing.h_product_pk
from batch_checked_orders as checked
cross join lateral (
    select
        in_message.product_id as newest_product_id,
        in_vault.h_product_pk
    from (
        select current_rows.h_product_pk
        from dds.current_order_product as current_rows
        where
            current_rows.h_order_pk = checked.h_order_pk
            and current_rows.is_active
    ) as in_vault
    full join (
        select
            item.product_id,
            dds.hash_key(item.product_id) as h_product_pk
        from stg.order_events as newest
        inner join stg.order_event_log as log on newest.value_hash = log.value_hash
        cross join lateral unnest(log.item_ids) as item (product_id)
        where newest.object_id = checked.order_id
    ) as in_message on in_vault.h_product_pk = in_message.h_product_pk
    where
        in_vault.h_product_pk is null
        or in_message.h_product_pk is null
    offset 0
) as differing
where checked.order_id not in (select queued.object_id from stg.queued_orders as queued);
