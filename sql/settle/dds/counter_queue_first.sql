-- One row = a guest to count anew: after a first load all who have an order.
-- From: dds.es_order_user
-- Grain: h_user_pk
-- Rerun: a vault is loaded first once
-- Params: load_dt
insert into dds.counter_queue (h_user_pk, load_dt)
select distinct
    h_user_pk,
    %(load_dt)s::timestamptz
from dds.es_order_user;
