-- Temporary: the dishes of the category that is rehearsed, as menus are now. A table of its own, so that it is known how many these are
-- before their orders are looked for.
-- From: batch_judged, dds.current_product_category
-- Grain: h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_dishes (
    h_product_pk uuid primary key
) on commit drop;

insert into batch_dishes (h_product_pk)
select h_product_pk
from dds.current_product_category
where h_category_pk in (select rule.category_id from batch_judged as rule);

analyze batch_dishes;
