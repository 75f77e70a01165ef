-- One row = orders of a status that began in an hour or a UTC day. The window ends with the newest hour that has orders: a
-- source that stands still still shows its last days, and an order from the future hides none. The newest hour is looked for in
-- the last day first, by the index; only where that is empty, everywhere.
-- From: cdm.v_orders_hourly
-- Params: unit (hour or day), hours (length of the window)
with newest as materialized (
    select
        coalesce(
            (
                select max(order_hour)
                from cdm.v_orders_hourly
                where order_hour <= now() and order_hour > now() - interval '1 day'
            ),
            (
                select max(order_hour)
                from cdm.v_orders_hourly
                where order_hour <= now()
            )
        ) as order_hour
)

select
    date_trunc(%(unit)s, order_hour, 'UTC') as begin_dt,
    status,
    sum(orders)::bigint as orders,
    sum(cost)::text as cost
from cdm.v_orders_hourly
where
    order_hour <= (select newest.order_hour from newest)
    and order_hour > (select newest.order_hour from newest) - make_interval(hours => %(hours)s)
group by begin_dt, status
order by begin_dt asc, status asc;
