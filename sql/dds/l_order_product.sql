-- One row = an order and a dish that some version of it holds; dds.es_order_product tells whether it holds now.
-- From: batch_lines
-- Grain: order_id, product_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.l_order_product (hk_order_product_pk, h_order_pk, h_product_pk, load_dt, load_src)
select distinct on (hk_order_product_pk)
    hk_order_product_pk,
    h_order_pk,
    h_product_pk,
    %(load_dt)s::timestamptz,
    load_src
from batch_lines
order by hk_order_product_pk asc
on conflict do nothing;
