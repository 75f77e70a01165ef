-- One row = a guest to count anew: after a first load all who have an order.
-- From: dds.es_order_user
-- Grain: h_user_pk
-- Rerun: a vault is loaded first once
-- Params: load_dt
insert into dds.counter_queue (h_user_pk, id, load_dt)
select
    h_user_pk,
    hashtextextended(h_user_pk::text, extract(epoch from %(load_dt)s::timestamptz)::bigint),
    %(load_dt)s::timestamptz
from dds.es_order_user
on conflict do nothing;
