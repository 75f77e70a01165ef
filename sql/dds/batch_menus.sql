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
select
    dds.hash_key(entry.product_id),
    dds.hash_key(menu.object_id),
    menu.update_ts,
    menu.object_id,
    menu.value_hash,
    entry.product_id,
    entry.product_name,
    entry.category_name
from batch_events as batch
inner join stg.reference_log as menu on batch.value_hash = menu.value_hash
cross join lateral unnest(menu.menu_ids, menu.menu_names, menu.menu_categories)
    as entry (product_id, product_name, category_name)
where batch.source = 'reference_log';

insert into batch_menus
select
    dish.h_product_pk,
    menu.h_restaurant_pk,
    menu.update_ts,
    menu.object_id,
    menu.value_hash,
    entry.product_id,
    entry.product_name,
    entry.category_name
from (
    select
        h_product_pk,
        product_id,
        min(update_ts) as first_update_ts
    from batch_menus
    group by h_product_pk, product_id
) as dish
inner join dds.l_product_restaurant as sold on dish.h_product_pk = sold.h_product_pk
inner join dds.h_restaurant as restaurant on sold.h_restaurant_pk = restaurant.h_restaurant_pk
inner join lateral (
    select
        restaurant.h_restaurant_pk,
        log.update_ts,
        log.object_id,
        log.value_hash,
        log.menu_ids,
        log.menu_names,
        log.menu_categories
    from stg.reference_log as log
    where
        log.object_type = 'restaurant'
        and log.object_id = restaurant.restaurant_id
        and log.update_ts >= dish.first_update_ts
        and not exists (
            select 1
            from batch_events as batch
            where
                batch.source = 'reference_log'
                and batch.value_hash = log.value_hash
        )
) as menu on true
cross join lateral unnest(menu.menu_ids, menu.menu_names, menu.menu_categories)
    as entry (product_id, product_name, category_name)
where entry.product_id = dish.product_id;

analyze batch_menus;
