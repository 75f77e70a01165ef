-- One row = a guest or a restaurant that an order has named.
-- From: incoming_orders
-- Grain: object_type, object_id
-- Rerun: changes nothing
-- Params: load_dt
insert into stg.reference_keys (object_type, object_id, is_found, load_dt)
select
    named.object_type,
    named.object_id,
    false,
    %(load_dt)s::timestamptz
from (
    select
        'user' as object_type,
        user_id as object_id
    from incoming_orders
    union
    select
        'restaurant' as object_type,
        restaurant_id as object_id
    from incoming_orders
) as named
on conflict (object_type, object_id) do nothing;
