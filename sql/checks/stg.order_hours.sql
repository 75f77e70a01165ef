-- Law stg.order_hours: stg.order_hours is what a recount of the orders in their newest versions gives.
-- Over: all, once a round
-- Params: none
with recounted as (
    select
        date_trunc('hour', log.order_dt, 'UTC') as order_hour,
        log.restaurant_id,
        log.final_status as status,
        count(*) as orders,
        count(*) filter (where cardinality(log.item_ids) = 0) as empty_orders,
        coalesce(sum(log.cost), 0) as cost
    from stg.order_events as newest
    inner join stg.order_event_log as log on newest.value_hash = log.value_hash
    group by order_hour, log.restaurant_id, log.final_status
)

select
    coalesce(stored.order_hour, recounted.order_hour) as order_hour,
    coalesce(stored.restaurant_id, recounted.restaurant_id) as restaurant_id,
    coalesce(stored.status, recounted.status) as status,
    stored.orders,
    recounted.orders as recounted_orders,
    stored.empty_orders,
    recounted.empty_orders as recounted_empty_orders,
    stored.cost,
    recounted.cost as recounted_cost
from stg.order_hours as stored
full join recounted
    on
        stored.order_hour = recounted.order_hour
        and stored.restaurant_id = recounted.restaurant_id
        and stored.status = recounted.status
where
    (stored.orders, stored.empty_orders, stored.cost)
    is distinct from (recounted.orders, recounted.empty_orders, recounted.cost);
