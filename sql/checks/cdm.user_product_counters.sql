-- Law cdm.user_product_counters: each counter and each name is what a recount of the vault gives. Guests who wait for their recount
-- are left out.
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

names as (
    select distinct on (h_product_pk)
        h_product_pk,
        name
    from dds.s_product_names
    order by
        h_product_pk asc, is_from_menu desc, effective_dttm desc, sent_dttm desc, restaurant_id desc, value_hash desc
),

recounted as (
    select
        closed_lines.h_user_pk as user_id,
        closed_lines.h_product_pk as product_id,
        coalesce(names.name, '') as product_name,
        count(*) as order_cnt
    from closed_lines
    left join names on closed_lines.h_product_pk = names.h_product_pk
    group by closed_lines.h_user_pk, closed_lines.h_product_pk, coalesce(names.name, '')
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
    from stg.load_queue as queue
    inner join stg.order_event_log as log on queue.value_hash = log.value_hash
    inner join stg.order_event_log as versions on log.object_id = versions.object_id
    where queue.source = 'order_event_log'
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
