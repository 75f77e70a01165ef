-- One row = a dish enters an order's basket or leaves it, by business time: it enters with the version that begins a stretch and
-- leaves with the one after the stretch.
-- From: batch_lines, batch_orders
-- Grain: h_order_pk, h_product_pk, a version that begins or ends to hold the dish
-- Rerun: adds no row
-- Params: load_dt
insert into dds.es_order_product (
    h_order_pk,
    h_product_pk,
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
    true,
    update_ts,
    sent_dttm,
    value_hash,
    %(load_dt)s::timestamptz,
    load_src
from batch_lines
where is_begin
on conflict do nothing;

insert into dds.es_order_product (
    h_order_pk,
    h_product_pk,
    is_active,
    effective_dttm,
    sent_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    held.h_order_pk,
    held.h_product_pk,
    false,
    next_version.update_ts,
    next_version.sent_dttm,
    next_version.value_hash,
    %(load_dt)s::timestamptz,
    next_version.load_src
from batch_lines as held
inner join batch_orders as next_version
    on
        held.h_order_pk = next_version.h_order_pk
        and held.version + 1 = next_version.version
where held.is_end
on conflict do nothing;
