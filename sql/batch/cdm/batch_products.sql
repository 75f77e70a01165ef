-- Temporary: what those dishes are called now and which category they belong to now (NULL while no menu says).
-- From: batch_closed_lines, dds.s_product_names, dds.es_product_category, dds.h_category
-- Grain: h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_products (
    h_product_pk uuid,
    product_name varchar,
    h_category_pk uuid,
    category_name varchar
) on commit drop;

insert into batch_products
select
    ordered.h_product_pk,
    coalesce(current_name.name, ''),
    category.h_category_pk,
    category.category_name
from (
    select distinct h_product_pk
    from batch_closed_lines
) as ordered
left join lateral (
    select names.name
    from dds.s_product_names as names
    where names.h_product_pk = ordered.h_product_pk
    order by
        names.is_from_menu desc,
        names.effective_dttm desc,
        names.sent_dttm desc,
        names.restaurant_id desc,
        names.value_hash desc
    limit 1
) as current_name on true
left join lateral (
    select es.h_category_pk
    from dds.es_product_category as es
    where es.h_product_pk = ordered.h_product_pk
    order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
    limit 1
) as current_category on true
left join dds.h_category as category on current_category.h_category_pk = category.h_category_pk;

analyze batch_products;
