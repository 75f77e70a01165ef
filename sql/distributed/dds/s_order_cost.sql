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
    version_pk,
    h_order_pk,
    cost,
    payment,
    update_ts,
    sent_dttm,
    value_hash,
    %(load_dt)s::timestamptz,
    load_src
from batch_orders
where is_cost_changed
on conflict do nothing;
