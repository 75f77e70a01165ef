-- One row = the orders that began in an hour at a restaurant and have a status now.
-- From: incoming_hours
-- Grain: order_hour, restaurant_id, status
-- Rerun: changes nothing. A row that falls to 0 disappears
-- Params: none
merge into stg.order_hours as stored
using incoming_hours as change
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
