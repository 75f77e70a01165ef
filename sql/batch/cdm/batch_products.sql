-- Temporary: what those dishes are called now and which category they belong to now (NULL while no menu says).
-- The vault may have gone on since the claim. A guest whose dish has changed since waits to be counted anew, and until then keeps
-- the counters they have: what their baskets would add is of another category than what is counted. One statement, so one
-- snapshot: who sees the dish changed sees the guest wait.
-- From: batch_closed_lines, batch_guests, dds.s_product_names, dds.es_product_category, dds.h_category, dds.counter_queue
-- Grain: h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_products (
    h_product_pk uuid,
    product_name varchar,
    h_category_pk uuid,
    category_name varchar
) on commit drop;

with overtaken as (
    delete from batch_closed_lines as lines
    using batch_guests as guest, dds.counter_queue as queue
    where
        lines.h_user_pk = guest.h_user_pk
        and not guest.is_recounted
        and guest.h_user_pk = queue.h_user_pk
        and queue.h_order_pk is null
)

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
