-- Law cdm.category_histogram: cdm.category_histogram is how the guests' counters by category are spread, under the categories'
-- names.
-- Over: all, once a round
-- Params: none
select
    coalesce(stored.category_id, recounted.category_id) as category_id,
    coalesce(stored.order_cnt, recounted.order_cnt) as order_cnt,
    stored.category_name,
    hub.category_name as hub_name,
    stored.guests,
    recounted.guests as recounted_guests
from cdm.category_histogram as stored
full join (
    select
        category_id,
        order_cnt,
        count(*) as guests
    from cdm.user_category_counters
    group by category_id, order_cnt
) as recounted
    on
        stored.category_id = recounted.category_id
        and stored.order_cnt = recounted.order_cnt
left join dds.h_category as hub on stored.category_id = hub.h_category_pk
where
    stored.guests is distinct from recounted.guests
    or stored.category_name is distinct from hub.category_name;
