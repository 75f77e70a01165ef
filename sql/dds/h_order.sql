-- One row = an order. It begins when its earliest known version says so.
-- From: batch_orders
-- Grain: order_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.h_order (h_order_pk, order_id, order_dt, load_dt, load_src)
select
    h_order_pk,
    order_id,
    order_dt,
    %(load_dt)s::timestamptz,
    load_src
from batch_orders
where
    version = 1
    and not exists (
        select 1
        from dds.h_order as stored
        where stored.h_order_pk = batch_orders.h_order_pk
    );
