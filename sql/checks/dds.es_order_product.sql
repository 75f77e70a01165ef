-- Law dds.es_order_product: each row tells of a link that exists, and STG holds the version that says so.
-- Params: none
select
    effectivity.h_order_pk,
    effectivity.h_product_pk,
    effectivity.value_hash
from dds.es_order_product as effectivity
where
    not exists (
        select 1
        from dds.l_order_product as link
        where
            link.h_order_pk = effectivity.h_order_pk
            and link.h_product_pk = effectivity.h_product_pk
    )
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = effectivity.value_hash
    );

-- Law dds.es_order_product.newest: each order now holds the dishes of its newest message and no others. Orders with a message in the
-- queue are left out.
-- Params: none
with in_vault as (
    select
        current_rows.h_order_pk,
        current_rows.h_product_pk
    from dds.current_order_product as current_rows
    where current_rows.is_active
),

in_messages as (
    select
        newest.object_id,
        item.product_id,
        dds.hash_key(newest.object_id::text) as h_order_pk,
        dds.hash_key(item.product_id) as h_product_pk
    from stg.order_events as newest
    inner join stg.order_event_log as log on newest.value_hash = log.value_hash
    cross join lateral unnest(log.item_ids) as item (product_id)
)

select
    coalesce(hub.order_id, in_messages.object_id) as order_id,
    in_messages.product_id as newest_product_id,
    in_vault.h_product_pk
from in_vault
full join in_messages
    on
        in_vault.h_order_pk = in_messages.h_order_pk
        and in_vault.h_product_pk = in_messages.h_product_pk
left join dds.h_order as hub on in_vault.h_order_pk = hub.h_order_pk
where
    (in_vault.h_order_pk is null or in_messages.h_order_pk is null)
    and coalesce(hub.order_id, in_messages.object_id) not in (select queued.object_id from stg.queued_orders as queued);
