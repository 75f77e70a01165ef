-- Law cdm.user_category_counters: each counter is what a recount of the vault gives. Guests who wait for their recount are left out.
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
        category.h_category_pk as category_id,
        hub.category_name,
        count(distinct lines.h_order_pk) as order_cnt
    from lines
    inner join dds.current_product_category as category on lines.h_product_pk = category.h_product_pk
    inner join dds.h_category as hub on category.h_category_pk = hub.h_category_pk
    group by lines.h_user_pk, category.h_category_pk, hub.category_name
),

stored as (
    select counters.*
    from batch_checked_guests as checked
    inner join cdm.user_category_counters as counters on checked.h_user_pk = counters.user_id
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.category_id, recounted.category_id) as category_id,
    stored.category_name,
    recounted.category_name as recounted_name,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from stored
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
-- read from their JSON. Which orders are a guest's the vault says, and dds.es_order_user.newest whether it is right. Guests who wait
-- for their recount, have an order in the queue, or ordered a dish of a menu in the queue, are left out.
-- Over: guests
-- Params: none
with owned as (
    select distinct effectivity.h_order_pk
    from batch_checked_guests as checked
    inner join dds.es_order_user as effectivity on checked.h_user_pk = effectivity.h_user_pk
),

menu_entries as (
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
        checked.h_user_pk as user_id,
        dds.hash_key(categories.category_name) as category_id,
        count(distinct orders.object_id) as order_cnt
    from owned
    inner join dds.h_order as hub on owned.h_order_pk = hub.h_order_pk
    inner join stg.order_events as orders on hub.order_id = orders.object_id
    inner join batch_checked_guests as checked on dds.hash_key(orders.payload -> 'user' ->> 'id') = checked.h_user_pk
    cross join lateral json_array_elements(orders.payload -> 'order_items') as line (item)
    inner join categories on line.item ->> 'id' = categories.product_id
    where orders.payload ->> 'final_status' = 'CLOSED'
    group by checked.h_user_pk, categories.category_name
),

unsettled as (
    select queue.h_user_pk as user_id
    from dds.counter_queue as queue

    union

    select dds.hash_key(versions.user_id) as user_id
    from stg.queued_orders as queued
    inner join stg.order_event_log as versions on queued.object_id = versions.object_id

    union

    select dds.hash_key(versions.user_id) as user_id
    from owned
    inner join dds.h_order as hub on owned.h_order_pk = hub.h_order_pk
    inner join stg.order_event_log as versions on hub.order_id = versions.object_id
    inner join stg.queued_documents as queued on versions.item_ids && queued.menu_ids
    where exists (select 1 from stg.queued_documents)
),

stored as (
    select counters.*
    from batch_checked_guests as checked
    inner join cdm.user_category_counters as counters on checked.h_user_pk = counters.user_id
)

select
    coalesce(stored.user_id, recounted.user_id) as user_id,
    coalesce(stored.category_id, recounted.category_id) as category_id,
    stored.order_cnt,
    recounted.order_cnt as recounted_cnt
from stored
full join recounted
    on
        stored.user_id = recounted.user_id
        and stored.category_id = recounted.category_id
where
    stored.order_cnt is distinct from recounted.order_cnt
    and coalesce(stored.user_id, recounted.user_id) not in (select unsettled.user_id from unsettled);
