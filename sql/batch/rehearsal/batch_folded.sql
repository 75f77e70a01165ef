-- Temporary: whose orders are folded for a rehearsal: every guest who ever had an order with a dish of the category.
-- From: batch_judged, dds.es_product_category, dds.l_order_product, dds.es_order_user
-- Grain: user_id
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_folded (
    user_id uuid,
    tag varchar
) on commit drop;

insert into batch_folded (user_id)
with dishes as (
    select distinct on (es.h_product_pk)
        es.h_product_pk,
        es.h_category_pk
    from dds.es_product_category as es
    order by es.h_product_pk asc, es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
)

select distinct owner.h_user_pk
from dishes
inner join batch_judged as rule on dishes.h_category_pk = rule.category_id
inner join dds.l_order_product as held on dishes.h_product_pk = held.h_product_pk
inner join dds.es_order_user as owner on held.h_order_pk = owner.h_order_pk
-- The erased have no tags.
where owner.h_user_pk <> dds.erased_guest();

analyze batch_folded;
