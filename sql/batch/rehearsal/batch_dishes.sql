-- Temporary: the dishes of the category that is rehearsed, as menus are now. A table of its own, so that it is known how many these are
-- before their orders are looked for.
-- From: batch_judged, dds.es_product_category
-- Grain: h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_dishes (
    h_product_pk uuid primary key
) on commit drop;

insert into batch_dishes (h_product_pk)
select newest.h_product_pk
from (
    select distinct on (es.h_product_pk)
        es.h_product_pk,
        es.h_category_pk
    from dds.es_product_category as es
    order by es.h_product_pk asc, es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
) as newest
where newest.h_category_pk in (select rule.category_id from batch_judged as rule);

analyze batch_dishes;
