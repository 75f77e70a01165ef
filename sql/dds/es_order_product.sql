-- One row = a dish enters an order's basket or leaves it, by business time.
-- From: batch_orders, batch_lines
-- Grain: h_order_pk, h_product_pk, a version that begins or ends to hold the dish
-- Rerun: adds no row
-- Params: load_dt
with baskets as (
    select distinct
        h_order_pk,
        h_product_pk,
        hk_order_product_pk
    from batch_lines
),

versions as (
    select
        baskets.h_order_pk,
        baskets.h_product_pk,
        baskets.hk_order_product_pk,
        orders.update_ts,
        orders.sent_dttm,
        orders.value_hash,
        orders.load_src,
        lines.value_hash is not null as is_active
    from baskets
    inner join batch_orders as orders on baskets.h_order_pk = orders.h_order_pk
    left join batch_lines as lines
        on
            orders.value_hash = lines.value_hash
            and baskets.h_product_pk = lines.h_product_pk
),

timeline as (
    select
        *,
        lag(is_active, 1, false) over (
            partition by h_order_pk, h_product_pk
            order by update_ts asc, sent_dttm asc, value_hash asc
        ) as is_active_before
    from versions
)

insert into dds.es_order_product (
    h_order_pk,
    h_product_pk,
    hk_order_product_pk,
    is_active,
    effective_dttm,
    sent_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    h_order_pk,
    h_product_pk,
    hk_order_product_pk,
    is_active,
    update_ts,
    sent_dttm,
    value_hash,
    %(load_dt)s::timestamptz,
    load_src
from timeline
where is_active <> is_active_before
on conflict do nothing;
