-- Temporary: what this transaction loads, taken out of the queue for good when it commits.
-- From: stg.load_queue, stg.order_event_log, dds.h_order
-- Grain: source, value_hash
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: max_events, max_first_events (that of a vault without orders, which is loaded without keys); NULL takes all
create temporary table batch_events (
    source text,
    value_hash uuid,
    object_id bigint
) on commit drop;

with claimed as (
    delete from stg.load_queue
    where ctid = any(array(
        select ctid
        from stg.load_queue
        limit case
            when exists (select 1 from dds.h_order) then %(max_events)s::bigint
            else %(max_first_events)s::bigint
        end
    ))
    returning source, value_hash, object_id
)

insert into batch_events (source, value_hash, object_id)
select
    source,
    value_hash,
    case
        when source = 'order_event_log' then coalesce(
            object_id,
            (
                select log.object_id
                from stg.order_event_log as log
                where log.value_hash = claimed.value_hash
            )
        )
    end
from claimed;

analyze batch_events;
