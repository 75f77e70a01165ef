-- One row = a guest, known as soon as an order or a document names them. Guests lie elsewhere than their orders: the workers send
-- them to each other.
-- From: batch_orders, batch_references
-- Grain: user_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.h_user (h_user_pk, user_id, load_dt, load_src)
select
    h_user_pk,
    user_id,
    %(load_dt)s::timestamptz,
    load_src
from batch_orders
where is_user_changed
on conflict do nothing;

insert into dds.h_user (h_user_pk, user_id, load_dt, load_src)
select distinct
    object_pk,
    object_id,
    %(load_dt)s::timestamptz,
    'redis'
from batch_references
where object_type = 'user'
on conflict do nothing;
