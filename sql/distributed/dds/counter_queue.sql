-- One row = a guest to count anew: those to whom the orders of this batch ever belonged, and those who ever ordered a dish whose name
-- or category has changed. Baskets are not queued: a guest's counters lie elsewhere than the orders, and one who is counted anew
-- can't be wrong.
-- From: batch_orders, batch_known_changes, dds.es_order_user, dds.l_order_product
-- Grain: h_user_pk
-- Rerun: queues the guests again
-- Params: load_dt
insert into dds.counter_queue (h_user_pk, id, load_dt)
select
    owner.h_user_pk,
    hashtextextended(owner.h_user_pk::text, extract(epoch from %(load_dt)s::timestamptz)::bigint),
    %(load_dt)s::timestamptz
from batch_orders as batch
inner join dds.es_order_user as owner on batch.h_order_pk = owner.h_order_pk
on conflict do nothing;

insert into dds.counter_queue (h_user_pk, id, load_dt)
with changed as materialized (
    select h_product_pk
    from batch_known_changes
)

select
    owner.h_user_pk,
    hashtextextended(owner.h_user_pk::text, extract(epoch from %(load_dt)s::timestamptz)::bigint),
    %(load_dt)s::timestamptz
from changed
inner join dds.l_order_product as held on changed.h_product_pk = held.h_product_pk
inner join dds.es_order_user as owner on held.h_order_pk = owner.h_order_pk
on conflict do nothing;
