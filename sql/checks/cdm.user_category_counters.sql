-- Law cdm.user_category_counters: each counter is what a recount of the vault gives. Guests who wait for their recount are left out.
-- Params: none
with recounted as (
    select
        lines.h_user_pk as user_id,
        lines.h_category_pk as category_id,
        hub.category_name,
        count(distinct lines.h_order_pk) as order_cnt
    from dds.closed_lines as lines
    inner join dds.h_category as hub on lines.h_category_pk = hub.h_category_pk
    group by lines.h_user_pk, lines.h_category_pk, hub.category_name
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.category_id, recounted.category_id) as category_id,
    stored.category_name,
    recounted.category_name as recounted_name,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from cdm.user_category_counters as stored
full join recounted
    on
        stored.user_id = recounted.user_id
        and stored.category_id = recounted.category_id
where
    (stored.category_name, stored.order_cnt) is distinct from (recounted.category_name, recounted.order_cnt)
    and not exists (
        select 1
        from dds.counter_queue as queue
        where queue.h_user_pk = coalesce(stored.user_id, recounted.user_id)
    );

-- Law cdm.user_category_counters.source: each counter is what the newest messages of the orders and the menus say by themselves,
-- read from their JSON without the vault. Guests who wait for their recount, have an order in the queue, or ordered a dish of a menu
-- in the queue, are left out.
-- Params: none
with menu_entries as (
    select distinct on (log.value_hash, entry.dish ->> '_id')
        log.update_ts,
        log.object_id,
        log.value_hash,
        entry.dish ->> '_id' as product_id,
        entry.dish ->> 'category' as category_name
    from stg.reference_log as log
    cross join lateral json_array_elements(log.value -> 'menu') with ordinality as entry (dish, place)
    where log.object_type = 'restaurant'
    order by log.value_hash asc, entry.dish ->> '_id' asc, entry.place asc
),

categories as (
    select distinct on (product_id)
        product_id,
        category_name
    from menu_entries
    where category_name <> ''
    order by product_id asc, update_ts desc, object_id collate "C" desc, value_hash desc
),

recounted as (
    select
        dds.hash_key(orders.payload -> 'user' ->> 'id') as user_id,
        dds.hash_key(categories.category_name) as category_id,
        count(distinct orders.object_id) as order_cnt
    from stg.order_events as orders
    cross join lateral json_array_elements(orders.payload -> 'order_items') as line (item)
    inner join categories on line.item ->> 'id' = categories.product_id
    where orders.payload ->> 'final_status' = 'CLOSED'
    group by orders.payload -> 'user' ->> 'id', categories.category_name
),

unsettled as (
    select queue.h_user_pk as user_id
    from dds.counter_queue as queue

    union

    select dds.hash_key(versions.user_id) as user_id
    from stg.queued_orders as queued
    inner join stg.order_event_log as versions on queued.object_id = versions.object_id

    union

    select dds.hash_key(orders.user_id) as user_id
    from stg.queued_documents as queued
    inner join stg.order_event_log as orders on queued.menu_ids && orders.item_ids
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.category_id, recounted.category_id) as category_id,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from cdm.user_category_counters as stored
full join recounted
    on
        stored.user_id = recounted.user_id
        and stored.category_id = recounted.category_id
where
    stored.order_cnt is distinct from recounted.order_cnt
    and coalesce(stored.user_id, recounted.user_id) not in (select unsettled.user_id from unsettled);
