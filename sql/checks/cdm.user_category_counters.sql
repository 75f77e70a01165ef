-- Law cdm.user_category_counters: each counter is what a recount of the vault gives. Guests who wait for their recount are left out.
-- Params: none
with closed_lines as (
    select
        owner.h_user_pk,
        owner.h_order_pk,
        basket.h_product_pk
    from (
        select distinct on (h_order_pk)
            h_order_pk,
            h_user_pk
        from dds.es_order_user
        order by h_order_pk asc, effective_dttm desc, sent_dttm desc, value_hash desc
    ) as owner
    inner join (
        select distinct on (h_order_pk)
            h_order_pk,
            status
        from dds.s_order_status
        order by h_order_pk asc, effective_dttm desc, sent_dttm desc, value_hash desc
    ) as current_status
        on
            owner.h_order_pk = current_status.h_order_pk
            and current_status.status = 'CLOSED'
    inner join (
        select distinct on (h_order_pk, h_product_pk)
            h_order_pk,
            h_product_pk,
            is_active
        from dds.es_order_product
        order by h_order_pk asc, h_product_pk asc, effective_dttm desc, sent_dttm desc, value_hash desc
    ) as basket
        on
            owner.h_order_pk = basket.h_order_pk
            and basket.is_active
),

categories as (
    select distinct on (es.h_product_pk)
        es.h_product_pk,
        es.h_category_pk
    from dds.es_product_category as es
    order by es.h_product_pk asc, es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
),

recounted as (
    select
        closed_lines.h_user_pk as user_id,
        categories.h_category_pk as category_id,
        hub.category_name,
        count(distinct closed_lines.h_order_pk) as order_cnt
    from closed_lines
    inner join categories on closed_lines.h_product_pk = categories.h_product_pk
    inner join dds.h_category as hub on categories.h_category_pk = hub.h_category_pk
    group by closed_lines.h_user_pk, categories.h_category_pk, hub.category_name
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
    from stg.load_queue as queue
    inner join stg.order_event_log as log on queue.value_hash = log.value_hash
    inner join stg.order_event_log as versions on log.object_id = versions.object_id
    where queue.source = 'order_event_log'

    union

    select dds.hash_key(orders.user_id) as user_id
    from stg.load_queue as queue
    inner join stg.reference_log as menu on queue.value_hash = menu.value_hash
    inner join stg.order_event_log as orders on menu.menu_ids && orders.item_ids
    where queue.source = 'reference_log'
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
