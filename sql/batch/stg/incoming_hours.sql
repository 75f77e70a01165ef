-- Temporary: what one chunk changes in the sums of the orders. The newest version of an order that is known leaves its row, the
-- one that is newer still enters its own; so this runs before stg.order_events, which still shows the version before.
-- From: incoming_newest, stg.order_events, stg.order_event_log
-- Grain: order_hour, restaurant_id, status; rows that change nothing are left out
-- Rerun: empty: no version is newer than itself. Dropped at the end of the transaction
-- Params: none
create temporary table incoming_hours (
    order_hour timestamptz,
    restaurant_id text,
    status text,
    orders bigint,
    empty_orders bigint,
    cost numeric
) on commit drop;

with entering as (
    select
        newest.order_dt,
        newest.restaurant_id,
        newest.status,
        newest.is_empty,
        newest.cost,
        known.value_hash as value_hash_before
    from incoming_newest as newest
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
        status,
        1 as orders,
        is_empty::integer as empty_orders,
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
    from stg.order_event_log as log
    -- As an array: they are few, and in a join the log was read whole for them.
    where log.value_hash = any(array(select entering.value_hash_before from entering))
)

insert into incoming_hours
select
    order_hour,
    restaurant_id,
    status,
    sum(orders),
    sum(empty_orders),
    sum(cost)
from moved
group by order_hour, restaurant_id, status
having sum(orders) <> 0 or sum(empty_orders) <> 0 or sum(cost) <> 0;
