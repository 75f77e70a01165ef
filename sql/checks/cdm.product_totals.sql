-- Law cdm.product_totals: cdm.product_totals is what the guests' counters by dish add up to.
-- Over: all, once a round
-- Params: none
select
    coalesce(stored.product_id, recounted.product_id) as product_id,
    stored.guests,
    recounted.guests as recounted_guests,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from cdm.product_totals as stored
full join (
    select
        product_id,
        count(*) as guests,
        sum(order_cnt) as order_cnt
    from cdm.user_product_counters
    group by product_id
) as recounted on stored.product_id = recounted.product_id
where (stored.guests, stored.order_cnt) is distinct from (recounted.guests, recounted.order_cnt);
