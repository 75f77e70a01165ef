-- Law cdm.user_product_counters: each counter and each name is what a recount of the vault gives. Guests who wait for their recount
-- are left out.
-- Params: none
with recounted as (
    select
        lines.h_user_pk as user_id,
        lines.h_product_pk as product_id,
        coalesce(names.name, '') as product_name,
        count(*) as order_cnt
    from dds.closed_lines as lines
    left join dds.current_product_names as names on lines.h_product_pk = names.h_product_pk
    group by lines.h_user_pk, lines.h_product_pk, coalesce(names.name, '')
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.product_id, recounted.product_id) as product_id,
    stored.product_name,
    recounted.product_name as recounted_name,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from cdm.user_product_counters as stored
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
-- JSON without the vault. Guests who wait for their recount, or have an order in the queue, are left out.
-- Params: none
with recounted as (
    select
        dds.hash_key(orders.payload -> 'user' ->> 'id') as user_id,
        dds.hash_key(line.item ->> 'id') as product_id,
        count(distinct orders.object_id) as order_cnt
    from stg.order_events as orders
    cross join lateral json_array_elements(orders.payload -> 'order_items') as line (item)
    where orders.payload ->> 'final_status' = 'CLOSED'
    group by orders.payload -> 'user' ->> 'id', line.item ->> 'id'
),

unsettled as (
    select queue.h_user_pk as user_id
    from dds.counter_queue as queue

    union

    select dds.hash_key(versions.user_id) as user_id
    from stg.queued_orders as queued
    inner join stg.order_event_log as versions on queued.object_id = versions.object_id
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.product_id, recounted.product_id) as product_id,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from cdm.user_product_counters as stored
full join recounted
    on
        stored.user_id = recounted.user_id
        and stored.product_id = recounted.product_id
where
    stored.order_cnt is distinct from recounted.order_cnt
    and coalesce(stored.user_id, recounted.user_id) not in (select unsettled.user_id from unsettled);
