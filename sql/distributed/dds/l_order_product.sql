-- One row = an order and a dish that some version of it holds; dds.es_order_product tells whether it holds now.
-- From: batch_lines
-- Grain: order_id, product_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.l_order_product (hk_order_product_pk, h_order_pk, h_product_pk, load_dt, load_src)
select
    dds.hash_key(order_id::text, product_id),
    h_order_pk,
    h_product_pk,
    %(load_dt)s::timestamptz,
    load_src
from batch_lines
where is_first
on conflict do nothing;
