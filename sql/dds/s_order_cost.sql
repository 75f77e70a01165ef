-- One row = a change of what an order costs, by business time.
-- From: batch_orders
-- Grain: h_order_pk, a version that differs from the one before it
-- Rerun: adds no row
-- Params: load_dt
insert into dds.s_order_cost (
    hk_order_cost_pk,
    h_order_pk,
    cost,
    payment,
    effective_dttm,
    sent_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    dds.hash_key(h_order_pk::text, value_hash::text),
    h_order_pk,
    cost,
    payment,
    update_ts,
    sent_dttm,
    value_hash,
    %(load_dt)s::timestamptz,
    load_src
from (
    select
        *,
        row_number() over timeline as version,
        lag(cost) over timeline as cost_before,
        lag(payment) over timeline as payment_before
    from batch_orders
    window timeline as (
        partition by h_order_pk
        order by update_ts asc, sent_dttm asc, value_hash asc
    )
) as versions
where
    version = 1
    or cost is distinct from cost_before
    or payment is distinct from payment_before
on conflict do nothing;
