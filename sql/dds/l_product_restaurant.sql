-- One row = a dish and a restaurant that has it on a menu or sold it in an order.
-- From: batch_sold, batch_menus
-- Grain: product_id, restaurant_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.l_product_restaurant (hk_product_restaurant_pk, h_product_pk, h_restaurant_pk, load_dt, load_src)
select distinct on (hk_product_restaurant_pk)
    dds.hash_key(held.product_id, held.restaurant_id) as hk_product_restaurant_pk,
    held.h_product_pk,
    held.h_restaurant_pk,
    %(load_dt)s::timestamptz,
    held.load_src
from (
    select
        product_id,
        restaurant_id,
        h_product_pk,
        h_restaurant_pk,
        load_src
    from batch_sold
    union all
    select
        product_id,
        restaurant_id,
        h_product_pk,
        h_restaurant_pk,
        'redis'
    from batch_menus
) as held
order by hk_product_restaurant_pk asc, held.load_src asc
on conflict do nothing;
