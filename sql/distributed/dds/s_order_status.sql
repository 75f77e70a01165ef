-- One row = a change of an order's status, or of the time at which it became CLOSED, by business time.
-- From: batch_orders
-- Grain: h_order_pk, a version that differs from the one before it
-- Rerun: adds no row
-- Params: load_dt
insert into dds.s_order_status (
    hk_order_status_pk,
    h_order_pk,
    status,
    closed_dttm,
    effective_dttm,
    sent_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    version_pk,
    h_order_pk,
    status,
    closed_dttm,
    update_ts,
    sent_dttm,
    value_hash,
    %(load_dt)s::timestamptz,
    load_src
from batch_orders
where is_status_changed
on conflict do nothing;
