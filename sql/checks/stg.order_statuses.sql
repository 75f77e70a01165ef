-- Law stg.order_statuses: stg.order_statuses is what a recount of the orders in their newest versions gives.
-- Over: all, once a round
-- Params: none
with recounted as (
    select
        log.final_status as status,
        count(*) as orders,
        count(*) filter (where cardinality(log.item_ids) = 0) as empty_orders
    from stg.order_events as newest
    inner join stg.order_event_log as log on newest.value_hash = log.value_hash
    group by log.final_status
)

select
    coalesce(stored.status, recounted.status) as status,
    stored.orders,
    recounted.orders as recounted_orders,
    stored.empty_orders,
    recounted.empty_orders as recounted_empty_orders
from stg.order_statuses as stored
full join recounted on stored.status = recounted.status
where (stored.orders, stored.empty_orders) is distinct from (recounted.orders, recounted.empty_orders);
