-- One row = a change of a dish's name, by business time; names from menus and names from order lines are two timelines.
-- From: batch_names, dds.s_product_names
-- Grain: h_product_pk, is_from_menu, a version that differs from the one before it
-- Rerun: adds no row
-- Params: load_dt
with first_incoming as (
    select distinct on (h_product_pk, is_from_menu)
        h_product_pk,
        is_from_menu,
        update_ts,
        sent_dttm,
        restaurant_id,
        value_hash
    from batch_names
    order by
        h_product_pk asc, is_from_menu asc, update_ts asc, sent_dttm asc, restaurant_id asc, value_hash asc
),

-- The stored row that was in force just before the first of them.
before_incoming as (
    select
        first_incoming.h_product_pk,
        first_incoming.is_from_menu,
        stored.name
    from first_incoming
    cross join lateral (
        select names.name
        from dds.s_product_names as names
        where
            names.h_product_pk = first_incoming.h_product_pk
            and names.is_from_menu = first_incoming.is_from_menu
            and (names.effective_dttm, names.sent_dttm, names.restaurant_id, names.value_hash) < (
                first_incoming.update_ts,
                first_incoming.sent_dttm,
                first_incoming.restaurant_id,
                first_incoming.value_hash
            )
        order by
            names.effective_dttm desc, names.sent_dttm desc, names.restaurant_id desc, names.value_hash desc
        limit 1
    ) as stored
),

-- Incoming rows, and stored ones between them, which other orders have brought.
versions as (
    select
        h_product_pk,
        is_from_menu,
        update_ts,
        sent_dttm,
        restaurant_id,
        value_hash,
        product_name,
        load_src,
        true as is_incoming
    from batch_names

    union all

    select
        stored.h_product_pk,
        stored.is_from_menu,
        stored.effective_dttm,
        stored.sent_dttm,
        stored.restaurant_id,
        stored.value_hash,
        stored.name,
        stored.load_src,
        false as is_incoming
    from first_incoming
    inner join dds.s_product_names as stored
        on
            first_incoming.h_product_pk = stored.h_product_pk
            and first_incoming.is_from_menu = stored.is_from_menu
            and (
                first_incoming.update_ts,
                first_incoming.sent_dttm,
                first_incoming.restaurant_id,
                first_incoming.value_hash
            ) < (stored.effective_dttm, stored.sent_dttm, stored.restaurant_id, stored.value_hash)
),

timeline as (
    select
        versions.*,
        coalesce(
            lag(versions.product_name) over (
                partition by versions.h_product_pk, versions.is_from_menu
                order by
                    versions.update_ts asc,
                    versions.sent_dttm asc,
                    versions.restaurant_id asc,
                    versions.value_hash asc
            ),
            before_incoming.name
        ) as name_before
    from versions
    left join before_incoming
        on
            versions.h_product_pk = before_incoming.h_product_pk
            and versions.is_from_menu = before_incoming.is_from_menu
),

changed as (
    insert into dds.s_product_names (
        hk_product_names_pk,
        h_product_pk,
        name,
        is_from_menu,
        effective_dttm,
        sent_dttm,
        restaurant_id,
        value_hash,
        load_dt,
        load_src
    )
    select
        dds.hash_key(h_product_pk::text, value_hash::text),
        h_product_pk,
        product_name,
        is_from_menu,
        update_ts,
        sent_dttm,
        restaurant_id,
        value_hash,
        %(load_dt)s::timestamptz,
        load_src
    from timeline
    where
        is_incoming
        and product_name is distinct from name_before
    on conflict do nothing
    returning h_product_pk
)

insert into batch_changed_products (h_product_pk)
select h_product_pk
from changed;
