-- One row = the orders that began in an hour at a restaurant and have a status now. Runs before stg.order_events, which still shows
-- the newest version of each order until now: that one leaves its row, the new one enters its own.
-- From: incoming_orders, stg.order_events, stg.order_event_log
-- Grain: order_hour, restaurant_id, status
-- Rerun: changes nothing: no version is newer than itself. A row that falls to 0 disappears
-- Params: none
merge into stg.order_hours as stored
using (
    with newest as (
        select distinct on (object_id)
            object_id,
            update_ts,
            sent_dttm,
            value_hash,
            order_dt,
            restaurant_id,
            final_status,
            cost,
            item_ids
        from incoming_orders
        order by object_id asc, update_ts desc, sent_dttm desc, value_hash desc
    ),

    entering as (
        select
            newest.*,
            known.value_hash as value_hash_before
        from newest
        left join stg.order_events as known on newest.object_id = known.object_id
        where
            known.object_id is null
            or (newest.update_ts, newest.sent_dttm, newest.value_hash)
            > (known.update_ts, known.sent_dttm, known.value_hash)
    ),

    moved as (
        select
            date_trunc('hour', order_dt, 'UTC') as order_hour,
            restaurant_id,
            final_status as status,
            1 as orders,
            (cardinality(item_ids) = 0)::integer as empty_orders,
            coalesce(cost, 0) as cost
        from entering

        union all

        select
            date_trunc('hour', log.order_dt, 'UTC'),
            log.restaurant_id,
            log.final_status,
            -1,
            -(cardinality(log.item_ids) = 0)::integer,
            -coalesce(log.cost, 0)
        from entering
        inner join stg.order_event_log as log on entering.value_hash_before = log.value_hash
    )

    select
        order_hour,
        restaurant_id,
        status,
        sum(orders) as orders,
        sum(empty_orders) as empty_orders,
        sum(cost) as cost
    from moved
    group by order_hour, restaurant_id, status
    having sum(orders) <> 0 or sum(empty_orders) <> 0 or sum(cost) <> 0
) as change
on
    stored.order_hour = change.order_hour
    and stored.restaurant_id = change.restaurant_id
    and stored.status = change.status
when matched and stored.orders + change.orders = 0 then delete
when matched then update set
    orders = stored.orders + change.orders,
    empty_orders = stored.empty_orders + change.empty_orders,
    cost = trim_scale(stored.cost + change.cost)
when not matched then insert (order_hour, restaurant_id, status, orders, empty_orders, cost)
values (
    change.order_hour,
    change.restaurant_id,
    change.status,
    change.orders,
    change.empty_orders,
    trim_scale(change.cost)
);
