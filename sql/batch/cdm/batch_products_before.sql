-- Temporary: what the guests of the batch add to cdm.product_totals before their counters change.
-- From: batch_guests, cdm.user_product_counters
-- Grain: product_id
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
