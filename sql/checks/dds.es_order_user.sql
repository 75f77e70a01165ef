-- Law dds.es_order_user: each row tells of a link that exists (looked up by its key), and STG holds the version that says so.
-- Over: orders
-- Params: none
select
    effectivity.h_order_pk,
    effectivity.h_user_pk,
    effectivity.value_hash
from batch_checked_orders as checked
inner join dds.es_order_user as effectivity on checked.h_order_pk = effectivity.h_order_pk
left join dds.h_user as user_hub on effectivity.h_user_pk = user_hub.h_user_pk
where
    not exists (
        select 1
        from dds.l_order_user as link
        where link.hk_order_user_pk = dds.hash_key(checked.order_id::text, user_hub.user_id)
    )
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = effectivity.value_hash
    );

-- Law dds.es_order_user.newest: the current guest of each order is that of its newest message. Orders with a message in the queue
-- are left out.
-- Over: orders
-- Params: none
select
    checked.order_id,
    dds.hash_key(log.user_id) as newest_user_pk,
    current_rows.h_user_pk
from batch_checked_orders as checked
inner join stg.order_events as newest on checked.order_id = newest.object_id
inner join stg.order_event_log as log on newest.value_hash = log.value_hash
left join lateral (
    select current_row.h_user_pk
    from dds.current_order_user as current_row
    where current_row.h_order_pk = checked.h_order_pk
    limit 1
) as current_rows on true
where
    current_rows.h_user_pk is distinct from dds.hash_key(log.user_id)
    and checked.order_id not in (select queued.object_id from stg.queued_orders as queued);
