-- One row = a restaurant, known as soon as an order or a document names it.
-- From: batch_orders, batch_references
-- Grain: restaurant_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.h_restaurant (h_restaurant_pk, restaurant_id, load_dt, load_src)
select distinct on (named.h_restaurant_pk)
    named.h_restaurant_pk,
    named.restaurant_id,
    %(load_dt)s::timestamptz,
    named.load_src
from (
    select distinct
        h_restaurant_pk,
        restaurant_id,
        load_src
    from batch_orders
    union all
    select
        object_pk,
        object_id,
        'redis'
    from batch_references
    where object_type = 'restaurant'
) as named
order by named.h_restaurant_pk asc, named.load_src asc
on conflict do nothing;
