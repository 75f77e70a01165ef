-- One row = a dish, known as soon as an order line or a menu names it.
-- From: batch_sold, batch_menus
-- Grain: product_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.h_product (h_product_pk, product_id, load_dt, load_src)
select distinct on (named.h_product_pk)
    named.h_product_pk,
    named.product_id,
    %(load_dt)s::timestamptz,
    named.load_src
from (
    select
        h_product_pk,
        product_id,
        load_src
    from batch_sold
    union all
    select
        h_product_pk,
        product_id,
        'redis'
    from batch_menus
) as named
order by named.h_product_pk asc, named.load_src asc
on conflict do nothing;
