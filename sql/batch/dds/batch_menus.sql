-- Temporary: the menu entries of this batch. A dish may stand on the menus of several restaurants, and the newest menu wins; so to
-- the new menus come those versions that hold the same dishes and are not older than the new ones (usually none).
-- From: batch_events, stg.reference_log, dds.l_product_restaurant
-- Grain: value_hash, h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_menus (
    h_product_pk uuid,
    h_restaurant_pk uuid,
    update_ts timestamptz,
    restaurant_id text collate "C",
    value_hash uuid,
    product_id text,
    product_name text,
    category_name text
) on commit drop;

insert into batch_menus
with documents as (
    select value_hash
    from batch_events
    where source = 'reference_log'
)

select
    dds.hash_key(entry.product_id),
    dds.hash_key(menu.object_id),
    menu.update_ts,
    menu.object_id,
    menu.value_hash,
    entry.product_id,
    entry.product_name,
    entry.category_name
from documents
inner join stg.reference_log as menu on documents.value_hash = menu.value_hash
cross join lateral unnest(menu.menu_ids, menu.menu_names, menu.menu_categories)
    as entry (product_id, product_name, category_name);

insert into batch_menus
with documents as (
    select value_hash
    from batch_events
    where source = 'reference_log'
),

dishes as (
    select
        h_product_pk,
        product_id,
        min(update_ts) as first_update_ts
    from batch_menus
    group by h_product_pk, product_id
),

restaurants as (
    select
        sold.h_restaurant_pk,
        min(dishes.first_update_ts) as first_update_ts
    from dishes
    inner join dds.l_product_restaurant as sold on dishes.h_product_pk = sold.h_product_pk
    group by sold.h_restaurant_pk
),

later_menus as (
    select
        restaurants.h_restaurant_pk,
        log.*
    from restaurants
    inner join dds.h_restaurant as hub on restaurants.h_restaurant_pk = hub.h_restaurant_pk
    -- One by one, by the index: "offset 0" keeps the planner from reading the log whole, where all of it is one restaurant's.
    cross join lateral (
        select
            menu.update_ts,
            menu.object_id,
            menu.value_hash,
            menu.menu_ids,
            menu.menu_names,
            menu.menu_categories
        from stg.reference_log as menu
        where
            menu.object_type = 'restaurant'
            and menu.object_id = hub.restaurant_id
            and menu.update_ts >= restaurants.first_update_ts
        offset 0
    ) as log
    where
        not exists (
            select 1
            from documents
            where documents.value_hash = log.value_hash
        )
)

select
    dishes.h_product_pk,
    menu.h_restaurant_pk,
    menu.update_ts,
    menu.object_id,
    menu.value_hash,
    entry.product_id,
    entry.product_name,
    entry.category_name
from later_menus as menu
cross join lateral unnest(menu.menu_ids, menu.menu_names, menu.menu_categories)
    as entry (product_id, product_name, category_name)
inner join dishes
    on
        entry.product_id = dishes.product_id
        and menu.update_ts >= dishes.first_update_ts;

analyze batch_menus;
