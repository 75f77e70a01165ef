-- One row = a dish comes to belong to a category, by business time. A dish gone from its menu, or without a category on it, keeps
-- its last one.
-- From: batch_menus, dds.es_product_category
-- Grain: h_product_pk, a menu version whose category differs from that of the one before it
-- Rerun: adds no row
-- Params: load_dt
with incoming as (
    select
        h_product_pk,
        dds.hash_key(category_name) as h_category_pk,
        update_ts,
        restaurant_id,
        value_hash
    from batch_menus
    where category_name is not null
),

first_incoming as (
    select distinct on (h_product_pk)
        h_product_pk,
        update_ts,
        restaurant_id,
        value_hash
    from incoming
    order by h_product_pk asc, update_ts asc, restaurant_id asc, value_hash asc
),

-- The stored row that was in force just before: all versions after it are among the incoming.
before_incoming as (
    select
        first_incoming.h_product_pk,
        stored.h_category_pk
    from first_incoming
    cross join lateral (
        select es.h_category_pk
        from dds.es_product_category as es
        where
            es.h_product_pk = first_incoming.h_product_pk
            and (es.effective_dttm, es.restaurant_id, es.value_hash)
            < (first_incoming.update_ts, first_incoming.restaurant_id, first_incoming.value_hash)
        order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
        limit 1
    ) as stored
),

timeline as (
    select
        incoming.*,
        coalesce(
            lag(incoming.h_category_pk) over (
                partition by incoming.h_product_pk
                order by incoming.update_ts asc, incoming.restaurant_id asc, incoming.value_hash asc
            ),
            before_incoming.h_category_pk
        ) as h_category_pk_before
    from incoming
    left join before_incoming on incoming.h_product_pk = before_incoming.h_product_pk
),

changed as (
    insert into dds.es_product_category (
        h_product_pk,
        h_category_pk,
        effective_dttm,
        restaurant_id,
        value_hash,
        load_dt,
        load_src
    )
    select
        h_product_pk,
        h_category_pk,
        update_ts,
        restaurant_id,
        value_hash,
        %(load_dt)s::timestamptz,
        'redis'
    from timeline
    where h_category_pk is distinct from h_category_pk_before
    on conflict do nothing
    returning h_product_pk
)

insert into batch_changed_products (h_product_pk)
select h_product_pk
from changed;
