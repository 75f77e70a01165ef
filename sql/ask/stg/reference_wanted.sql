-- What to ask Redis for: the guests of the orders that DDS has still to load, who or what is still missing, and the restaurants.
-- From: stg.reference_keys, stg.load_queue, stg.order_event_log
-- Grain: object_type, object_id
-- Rerun: reads only
-- Params: object_types, restaurants_every_runs, max_missing
select
    named.object_type,
    named.object_id
from stg.load_queue as queue
inner join stg.order_event_log as orders on queue.value_hash = orders.value_hash
cross join lateral (
    values
    ('user', orders.user_id),
    ('restaurant', orders.restaurant_id)
) as named (object_type, object_id)
where
    queue.source = 'order_event_log'
    and named.object_type = any(%(object_types)s::text[])

union

select
    known.object_type,
    known.object_id
from stg.reference_keys as known
where
    known.object_type = 'restaurant'
    -- Counted in runs, not by a clock: where the minute run takes long, or its host's clock jumps, a minute that is asked for may
    -- never come.
    and (
        %(restaurants_every_runs)s = 1
        or (select nextval('stg.reference_rounds') %% %(restaurants_every_runs)s = 0)
    )

union

-- A random part of them where they are many: each has its turn, and a run stays short.
(
    select
        missing.object_type,
        missing.object_id
    from stg.reference_keys as missing
    where
        not missing.is_found
        and missing.object_type = any(%(object_types)s::text[])
    order by random()
    limit %(max_missing)s
);
