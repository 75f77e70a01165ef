-- Law dds.s_product_names: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key
-- of both.
-- Over: all
-- Params: none
select
    satellite.hk_product_names_pk,
    satellite.h_product_pk,
    satellite.value_hash
from dds.s_product_names as satellite
left join dds.h_product as hub on satellite.h_product_pk = hub.h_product_pk
where
    hub.h_product_pk is null
    or satellite.hk_product_names_pk <> dds.hash_key(satellite.h_product_pk::text, satellite.value_hash::text)
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = satellite.value_hash
        union all
        select 1
        from stg.reference_log as log
        where log.value_hash = satellite.value_hash
    );

-- Law dds.s_product_names.newest: each dish is now called as the newest menu that names it says; while none does, as the newest
-- order line that names it. Dishes of a menu or an order in the queue are left out.
-- Over: all, once a round
-- Params: none
with queued as (
    select unnest(menu_ids) as product_id
    from stg.queued_documents
    union all
    select unnest(versions.item_ids) as product_id
    from stg.queued_orders as queued
    inner join stg.order_event_log as versions on queued.object_id = versions.object_id
),

named as (
    select
        entry.product_id,
        entry.product_name,
        true as is_from_menu,
        log.update_ts,
        log.update_ts as sent_dttm,
        log.object_id collate "C" as restaurant_id,
        log.value_hash
    from stg.reference_log as log
    cross join lateral unnest(log.menu_ids, log.menu_names) as entry (product_id, product_name)
    where entry.product_name is not null

    union all

    select
        line.product_id,
        line.product_name,
        false as is_from_menu,
        log.update_ts,
        log.sent_dttm,
        '' as restaurant_id,
        log.value_hash
    from stg.order_event_log as log
    cross join lateral unnest(log.item_ids, log.item_names) as line (product_id, product_name)
    where line.product_name is not null
),

newest as (
    select distinct on (product_id)
        product_id,
        product_name
    from named
    order by
        product_id asc, is_from_menu desc, update_ts desc, sent_dttm desc, restaurant_id desc, value_hash desc
)

select
    newest.product_id,
    newest.product_name as newest_name,
    current_rows.h_product_pk,
    current_rows.name
from newest
full join dds.current_product_names as current_rows on dds.hash_key(newest.product_id) = current_rows.h_product_pk
where
    current_rows.name is distinct from newest.product_name
    and not exists (
        select 1
        from queued
        where queued.product_id = newest.product_id
    );
