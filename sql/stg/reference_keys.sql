-- One row = a guest or a restaurant that an order has named. Distinct in each part: so workers of a distributed warehouse send each
-- name once.
-- From: incoming_orders, stg.reference_log
-- Grain: object_type, object_id
-- Rerun: changes nothing
-- Params: load_dt
insert into stg.reference_keys (object_type, object_id, is_found, load_dt)
select
    named.object_type,
    named.object_id,
    exists(
        select 1
        from stg.reference_log as log
        where
            log.object_type = named.object_type
            and log.object_id = named.object_id
    ),
    %(load_dt)s::timestamptz
from (
    select distinct
        'user' as object_type,
        user_id as object_id
    from incoming_orders
    where user_id <> stg.erased_id()
    union
    select distinct
        'restaurant' as object_type,
        restaurant_id as object_id
    from incoming_orders
) as named
where not exists (
    select 1
    from stg.reference_keys as known
    where
        known.object_type = named.object_type
        and known.object_id = named.object_id
)
on conflict (object_type, object_id) do nothing;
