-- Temporary: what the guests of the batch add to cdm.product_totals and cdm.category_histogram before their counters change.
-- From: batch_guests, cdm.user_product_counters, cdm.user_category_counters
-- Grain: product_id; category_id, order_cnt
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_products_before (
    product_id uuid,
    guests bigint,
    order_cnt bigint
) on commit drop;

insert into batch_products_before
select
    counters.product_id,
    count(*),
    sum(counters.order_cnt)
from batch_guests as guest
inner join cdm.user_product_counters as counters on guest.h_user_pk = counters.user_id
group by counters.product_id;

create temporary table batch_categories_before (
    category_id uuid,
    category_name varchar,
    order_cnt integer,
    guests bigint
) on commit drop;

insert into batch_categories_before
select
    counters.category_id,
    max(counters.category_name),
    counters.order_cnt,
    count(*)
from batch_guests as guest
inner join cdm.user_category_counters as counters on guest.h_user_pk = counters.user_id
group by counters.category_id, counters.order_cnt;
