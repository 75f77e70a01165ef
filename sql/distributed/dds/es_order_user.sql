-- One row = an order comes to belong to a guest (its first, or another one by a correction), by business time.
-- From: batch_orders
-- Grain: h_order_pk, a version whose guest differs from that of the one before it
-- Rerun: adds no row
-- Params: load_dt
insert into dds.es_order_user (
    h_order_pk,
    h_user_pk,
    effective_dttm,
    sent_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    h_order_pk,
    h_user_pk,
    update_ts,
    sent_dttm,
    value_hash,
    %(load_dt)s::timestamptz,
    load_src
from batch_orders
where is_user_changed
on conflict do nothing;
