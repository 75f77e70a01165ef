-- One row = a dish and a category that some menu has given it; dds.es_product_category tells which holds now.
-- From: batch_menus
-- Grain: product_id, category_name
-- Rerun: adds no row
-- Params: load_dt
insert into dds.l_product_category (hk_product_category_pk, h_product_pk, h_category_pk, load_dt, load_src)
select
    dds.hash_key(held.product_id, held.category_name) as hk_product_category_pk,
    held.h_product_pk,
    dds.hash_key(held.category_name),
    %(load_dt)s::timestamptz,
    'redis'
from (
    select distinct
        product_id,
        category_name,
        h_product_pk
    from batch_menus
    where category_name is not null
) as held
order by hk_product_category_pk asc
on conflict do nothing;
