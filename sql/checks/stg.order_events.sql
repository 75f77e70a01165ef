-- Law stg.order_events: stg.order_events holds each order of the log once, in its newest version.
-- Params: none
with newest as (
    select distinct on (log.object_id)
        log.object_id,
        log.update_ts,
        log.sent_dttm,
        log.value_hash
    from stg.order_event_log as log
    order by log.object_id asc, log.update_ts desc, log.sent_dttm desc, log.value_hash desc
)

select
    coalesce(newest.object_id, stored.object_id) as order_id,
    newest.value_hash as newest_version,
    stored.value_hash as stored_version
from newest
full join stg.order_events as stored on newest.object_id = stored.object_id
where
    (newest.update_ts, newest.sent_dttm, newest.value_hash)
    is distinct from (stored.update_ts, stored.sent_dttm, stored.value_hash);
