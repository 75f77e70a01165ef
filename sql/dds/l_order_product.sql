-- One row = an order and a dish that some version of it holds; dds.es_order_product tells whether it holds now.
-- From: batch_lines
-- Grain: order_id, product_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.l_order_product (hk_order_product_pk, h_order_pk, h_product_pk, load_dt, load_src)
select
    held.hk_order_product_pk,
    held.h_order_pk,
    held.h_product_pk,
    %(load_dt)s::timestamptz,
    held.load_src
from (
    select
        dds.hash_key(order_id::text, product_id) as hk_order_product_pk,
        h_order_pk,
        h_product_pk,
        load_src
    from batch_lines
    where is_first
) as held
where
    not exists (
        select 1
        from dds.l_order_product as stored
        where stored.hk_order_product_pk = held.hk_order_product_pk
    );
