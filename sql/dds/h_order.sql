-- One row = an order. It begins when its earliest known version says so.
-- From: batch_orders
-- Grain: order_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.h_order (h_order_pk, order_id, order_dt, load_dt, load_src)
select distinct on (h_order_pk)
    h_order_pk,
    order_id,
    order_dt,
    %(load_dt)s::timestamptz,
    load_src
from batch_orders
order by h_order_pk asc, update_ts asc, sent_dttm asc, value_hash asc
on conflict do nothing;
