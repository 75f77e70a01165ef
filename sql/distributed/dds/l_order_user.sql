-- One row = an order and a guest that some version of it names; dds.es_order_user tells which guest holds now.
-- From: batch_orders
-- Grain: order_id, user_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.l_order_user (hk_order_user_pk, h_order_pk, h_user_pk, load_dt, load_src)
select
    dds.hash_key(order_id::text, user_id),
    h_order_pk,
    h_user_pk,
    %(load_dt)s::timestamptz,
    load_src
from batch_orders
where is_user_changed
on conflict do nothing;
