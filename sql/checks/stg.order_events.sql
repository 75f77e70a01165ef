-- Law stg.order_events: stg.order_events holds each order of the log once, in its newest version.
-- Over: orders
-- Params: none
select
    checked.order_id,
    newest.value_hash as newest_version,
    stored.value_hash as stored_version
from batch_checked_orders as checked
left join lateral (
    select
        log.update_ts,
        log.sent_dttm,
        log.value_hash
    from stg.order_event_log as log
    where log.object_id = checked.order_id
    order by log.update_ts desc, log.sent_dttm desc, log.value_hash desc
    limit 1
) as newest on true
left join stg.order_events as stored on checked.order_id = stored.object_id
where
    (newest.update_ts, newest.sent_dttm, newest.value_hash)
    is distinct from (stored.update_ts, stored.sent_dttm, stored.value_hash);

-- Law stg.order_events.source: the version that stg.order_events holds of an order is in the log.
-- Over: all, once a round
-- Params: none
select
    stored.object_id as order_id,
    stored.value_hash
from stg.order_events as stored
where
    not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = stored.value_hash
    );
