-- One row = the orders that have a status now.
-- From: incoming_hours
-- Grain: status
-- Rerun: changes nothing. A row that falls to 0 disappears
-- Params: none
merge into stg.order_statuses as stored
using (
    select
        status,
        sum(orders) as orders,
        sum(empty_orders) as empty_orders
    from incoming_hours
    group by status
    having sum(orders) <> 0 or sum(empty_orders) <> 0
) as change
on stored.status = change.status
when matched and stored.orders + change.orders = 0 then delete
when matched then update set
    orders = stored.orders + change.orders,
    empty_orders = stored.empty_orders + change.empty_orders
when not matched then insert (status, orders, empty_orders)
values (change.status, change.orders, change.empty_orders);
