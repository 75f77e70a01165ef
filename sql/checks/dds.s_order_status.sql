-- Law dds.s_order_status: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key
-- of both. Only what is CLOSED became so at some time.
-- Over: orders
-- Params: none
select
    satellite.hk_order_status_pk,
    satellite.h_order_pk,
    satellite.value_hash,
    satellite.status,
    satellite.closed_dttm
from batch_checked_orders as checked
inner join dds.s_order_status as satellite on checked.h_order_pk = satellite.h_order_pk
left join dds.h_order as hub on satellite.h_order_pk = hub.h_order_pk
where
    hub.h_order_pk is null
    or satellite.hk_order_status_pk <> dds.hash_key(satellite.h_order_pk::text, satellite.value_hash::text)
    or (satellite.closed_dttm is not null and satellite.status <> 'CLOSED')
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = satellite.value_hash
    );

-- Law dds.s_order_status.newest: the current status of each order, and when it became CLOSED, are those of its newest message. Orders
-- with a message in the queue are left out.
-- Over: orders
-- Params: none
select
    checked.order_id,
    log.final_status as newest_status,
    log.closed_dttm as newest_closed_dttm,
    current_rows.status,
    current_rows.closed_dttm
from batch_checked_orders as checked
inner join stg.order_events as newest on checked.order_id = newest.object_id
inner join stg.order_event_log as log on newest.value_hash = log.value_hash
left join lateral (
    select
        current_row.status,
        current_row.closed_dttm
    from dds.current_order_status as current_row
    where current_row.h_order_pk = checked.h_order_pk
    limit 1
) as current_rows on true
where
    (current_rows.status, current_rows.closed_dttm) is distinct from (log.final_status, log.closed_dttm)
    and checked.order_id not in (select queued.object_id from stg.queued_orders as queued);
