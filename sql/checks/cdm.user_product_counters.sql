-- Law cdm.user_product_counters: each counter and each name is what a recount of the vault gives. Guests who wait for their recount
-- are left out.
-- Over: guests
-- Params: none
with owned as (
    select distinct effectivity.h_order_pk
    from batch_checked_guests as checked
    inner join dds.es_order_user as effectivity on checked.h_user_pk = effectivity.h_user_pk
),

lines as (
    select
        held.h_user_pk,
        held.h_order_pk,
        held.h_product_pk
    from owned
    cross join lateral (
        select
            closed.h_user_pk,
            closed.h_order_pk,
            closed.h_product_pk
        from dds.closed_lines as closed
        where closed.h_order_pk = owned.h_order_pk
        offset 0
    ) as held
    inner join batch_checked_guests as checked on held.h_user_pk = checked.h_user_pk
),

recounted as (
    select
        lines.h_user_pk as user_id,
        lines.h_product_pk as product_id,
        coalesce(names.name, '') as product_name,
        count(*) as order_cnt
    from lines
    left join dds.current_product_names as names on lines.h_product_pk = names.h_product_pk
    group by lines.h_user_pk, lines.h_product_pk, coalesce(names.name, '')
),

stored as (
    select counters.*
    from batch_checked_guests as checked
    inner join cdm.user_product_counters as counters on checked.h_user_pk = counters.user_id
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.product_id, recounted.product_id) as product_id,
    stored.product_name,
    recounted.product_name as recounted_name,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from stored
full join recounted
    on
        stored.user_id = recounted.user_id
        and stored.product_id = recounted.product_id
where
    (stored.product_name, stored.order_cnt) is distinct from (recounted.product_name, recounted.order_cnt)
    and not exists (
        select 1
        from dds.counter_queue as queue
        where queue.h_user_pk = coalesce(stored.user_id, recounted.user_id)
    );

-- Law cdm.user_product_counters.source: each counter is what the newest messages of the orders say by themselves, read from their
-- JSON. Which orders are a guest's the vault says, and dds.es_order_user.newest whether it is right. Guests who wait for their
-- recount, or have an order in the queue, are left out.
-- Over: guests
-- Params: none
with owned as (
    select distinct effectivity.h_order_pk
    from batch_checked_guests as checked
    inner join dds.es_order_user as effectivity on checked.h_user_pk = effectivity.h_user_pk
),

recounted as (
    select
        checked.h_user_pk as user_id,
        dds.hash_key(line.item ->> 'id') as product_id,
        count(distinct orders.object_id) as order_cnt
    from owned
    inner join dds.h_order as hub on owned.h_order_pk = hub.h_order_pk
    inner join stg.order_events as orders on hub.order_id = orders.object_id
    inner join batch_checked_guests as checked on dds.hash_key(orders.payload -> 'user' ->> 'id') = checked.h_user_pk
    cross join lateral json_array_elements(orders.payload -> 'order_items') as line (item)
    where orders.payload ->> 'final_status' = 'CLOSED'
    group by checked.h_user_pk, line.item ->> 'id'
),

unsettled as (
    select queue.h_user_pk as user_id
    from dds.counter_queue as queue

    union

    select dds.hash_key(versions.user_id) as user_id
    from stg.queued_orders as queued
    inner join stg.order_event_log as versions on queued.object_id = versions.object_id
),

stored as (
    select counters.*
    from batch_checked_guests as checked
    inner join cdm.user_product_counters as counters on checked.h_user_pk = counters.user_id
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.product_id, recounted.product_id) as product_id,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from stored
full join recounted
    on
        stored.user_id = recounted.user_id
        and stored.product_id = recounted.product_id
where
    stored.order_cnt is distinct from recounted.order_cnt
    and coalesce(stored.user_id, recounted.user_id) not in (select unsettled.user_id from unsettled);
