-- One row = orders of a status that began in an hour or a UTC day. The window ends with the newest hour that has orders: a
-- source that stands still still shows its last days, and an order from the future hides none.
-- From: cdm.v_orders_hourly
-- Params: unit (hour or day), hours (length of the window)
with newest as (
    select max(order_hour) as order_hour
    from cdm.v_orders_hourly
    where order_hour <= now()
)

select
    date_trunc(%(unit)s, hourly.order_hour, 'UTC') as begin_dt,
    hourly.status,
    sum(hourly.orders)::bigint as orders,
    sum(hourly.cost)::text as cost
from cdm.v_orders_hourly as hourly
inner join newest
    on
        hourly.order_hour <= newest.order_hour
        and hourly.order_hour > newest.order_hour - make_interval(hours => %(hours)s)
group by begin_dt, hourly.status
order by begin_dt asc, hourly.status asc;
