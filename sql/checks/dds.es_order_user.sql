-- Law dds.es_order_user: each row tells of a link that exists, and STG holds the version that says so.
-- Params: none
select
    effectivity.h_order_pk,
    effectivity.h_user_pk,
    effectivity.value_hash
from dds.es_order_user as effectivity
where
    not exists (
        select 1
        from dds.l_order_user as link
        where
            link.h_order_pk = effectivity.h_order_pk
            and link.h_user_pk = effectivity.h_user_pk
    )
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = effectivity.value_hash
    );

-- Law dds.es_order_user.newest: the current guest of each order is that of its newest message. Orders with a message in the queue
-- are left out.
-- Params: none
select
    newest.object_id as order_id,
    log.user_id as newest_user_id,
    current_rows.h_user_pk
from stg.order_events as newest
inner join stg.order_event_log as log on newest.value_hash = log.value_hash
left join dds.current_order_user as current_rows on dds.hash_key(newest.object_id::text) = current_rows.h_order_pk
where
    current_rows.h_user_pk is distinct from dds.hash_key(log.user_id)
    and newest.object_id not in (select queued.object_id from stg.queued_orders as queued);
