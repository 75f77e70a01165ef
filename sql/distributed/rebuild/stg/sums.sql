-- Sets the sums of STG, stg.order_hours and stg.order_statuses, to what a recount gives; rows that are right stay untouched.
-- From: stg.order_events, stg.order_event_log
-- Rerun: changes nothing
-- Params: none
create temporary table batch_counted_order_hours on commit drop as
select
    date_trunc('hour', log.order_dt, 'UTC') as order_hour,
    log.restaurant_id,
    log.final_status as status,
    count(*) as orders,
    count(*) filter (where cardinality(log.item_ids) = 0) as empty_orders,
    trim_scale(coalesce(sum(log.cost), 0)) as cost
from stg.order_events as newest
inner join stg.order_event_log as log
    on
        newest.h_order_pk = log.h_order_pk
        and newest.value_hash = log.value_hash
group by order_hour, log.restaurant_id, log.final_status;

merge into stg.order_hours as stored
using (
    select
        coalesce(counted.order_hour, known.order_hour) as order_hour,
        coalesce(counted.restaurant_id, known.restaurant_id) as restaurant_id,
        coalesce(counted.status, known.status) as status,
        counted.orders,
        counted.empty_orders,
        counted.cost
    from batch_counted_order_hours as counted
    full join stg.order_hours as known
        on
            counted.order_hour = known.order_hour
            and counted.restaurant_id = known.restaurant_id
            and counted.status = known.status
) as recount
on
    stored.order_hour = recount.order_hour
    and stored.restaurant_id = recount.restaurant_id
    and stored.status = recount.status
when matched and recount.orders is null then delete
when matched
    and (stored.orders, stored.empty_orders, stored.cost)
    is distinct from (recount.orders, recount.empty_orders, recount.cost)
then update set
    orders = recount.orders,
    empty_orders = recount.empty_orders,
    cost = recount.cost
when not matched then insert (order_hour, restaurant_id, status, orders, empty_orders, cost)
values (
    recount.order_hour,
    recount.restaurant_id,
    recount.status,
    recount.orders,
    recount.empty_orders,
    recount.cost
);

merge into stg.order_statuses as stored
using (
    select
        coalesce(counted.status, known.status) as status,
        counted.orders,
        counted.empty_orders
    from (
        -- Right by now.
        select
            status,
            sum(orders) as orders,
            sum(empty_orders) as empty_orders
        from stg.order_hours
        group by status
    ) as counted
    full join stg.order_statuses as known on counted.status = known.status
) as recount
on stored.status = recount.status
when matched and recount.orders is null then delete
when matched
    and (stored.orders, stored.empty_orders) is distinct from (recount.orders, recount.empty_orders)
then update set
    orders = recount.orders,
    empty_orders = recount.empty_orders
when not matched then insert (status, orders, empty_orders)
values (recount.status, recount.orders, recount.empty_orders);
