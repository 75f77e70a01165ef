-- Temporary: the names that this batch gives to dishes. Menus name a dish; order lines only while no menu has it.
-- A name that differs from the stored one may be older than versions that STG holds and the satellite left out as unchanged: then
-- those later versions come in too, found by the dish's orders.
-- From: batch_menus, batch_lines, batch_sold, dds.s_product_names, dds.l_order_product, dds.h_order, stg.order_event_log
-- Grain: value_hash, h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_names (
    h_product_pk uuid,
    is_from_menu boolean,
    update_ts timestamptz,
    sent_dttm timestamptz,
    restaurant_id text collate "C",
    value_hash uuid,
    product_name text,
    load_src text
) on commit drop;

insert into batch_names
select
    h_product_pk,
    true,
    update_ts,
    update_ts,
    restaurant_id,
    value_hash,
    product_name,
    'redis'
from batch_menus
where product_name is not null;

insert into batch_names
select
    lines.h_product_pk,
    false,
    lines.update_ts,
    lines.sent_dttm,
    '',
    lines.value_hash,
    lines.product_name,
    lines.load_src
from (
    select ordered.h_product_pk
    from (
        select distinct h_product_pk
        from batch_sold
    ) as ordered
    where
        not exists (
            select 1
            from dds.s_product_names as stored
            where
                stored.h_product_pk = ordered.h_product_pk
                and stored.is_from_menu
        )
        and not exists (
            select 1
            from batch_names as incoming
            where incoming.h_product_pk = ordered.h_product_pk
        )
) as unlisted
inner join batch_lines as lines on unlisted.h_product_pk = lines.h_product_pk
where lines.product_name is not null;

-- Mostly empty: not known as such, it would be joined with all that the dishes were ever ordered in.
analyze batch_names;

insert into batch_names
select
    renamed.h_product_pk,
    false,
    later.update_ts,
    later.sent_dttm,
    '',
    later.value_hash,
    line.product_name,
    'kafka:' || later.topic
from (
    select
        incoming.h_product_pk,
        min(incoming.update_ts) as first_update_ts
    from batch_names as incoming
    cross join lateral (
        select stored.name
        from dds.s_product_names as stored
        where
            stored.h_product_pk = incoming.h_product_pk
            and not stored.is_from_menu
            and (stored.effective_dttm, stored.sent_dttm, stored.restaurant_id, stored.value_hash)
            < (incoming.update_ts, incoming.sent_dttm, incoming.restaurant_id, incoming.value_hash)
        order by
            stored.effective_dttm desc, stored.sent_dttm desc, stored.restaurant_id desc, stored.value_hash desc
        limit 1
    ) as name_before
    where
        not incoming.is_from_menu
        and incoming.product_name <> name_before.name
    group by incoming.h_product_pk
) as renamed
inner join dds.l_order_product as held on renamed.h_product_pk = held.h_product_pk
inner join dds.h_order as orders on held.h_order_pk = orders.h_order_pk
inner join dds.h_product as product on renamed.h_product_pk = product.h_product_pk
inner join stg.order_event_log as later
    on
        orders.order_id = later.object_id
        and renamed.first_update_ts <= later.update_ts
cross join lateral unnest(later.item_ids, later.item_names) as line (product_id, product_name)
where
    line.product_id = product.product_id
    and line.product_name is not null
    and not exists (
        select 1
        from batch_orders as versions
        where versions.value_hash = later.value_hash
    );

analyze batch_names;
