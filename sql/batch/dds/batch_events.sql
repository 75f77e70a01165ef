-- Temporary: what this transaction loads, taken out of the queue for good when it commits: of the orders of a range of keys (from one,
-- up to another, which it does not hold; NULL = no end), or of all. What has no key belongs to the range without a beginning.
-- From: stg.load_queue, stg.order_event_log
-- Grain: source, value_hash
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: max_events, from_key, to_key (NULL: all)
create temporary table batch_events (
    source text,
    value_hash uuid,
    object_id bigint,
    h_order_pk uuid
) on commit drop;

with claimed as (
    delete from stg.load_queue
    where ctid = any(array(
        select ctid
        from stg.load_queue
        where
            (%(from_key)s::uuid is null or h_order_pk >= %(from_key)s::uuid)
            and (%(to_key)s::uuid is null or h_order_pk < %(to_key)s::uuid or h_order_pk is null)
        limit %(max_events)s::bigint
    ))
    returning source, value_hash, object_id, h_order_pk
),

-- What the release before has queued has no key, or not even the id.
named as (
    select
        source,
        value_hash,
        h_order_pk,
        case
            when source = 'order_event_log' then coalesce(
                object_id,
                (
                    select log.object_id
                    from stg.order_event_log as log
                    where log.value_hash = claimed.value_hash
                )
            )
        end as object_id
    from claimed
)

insert into batch_events (source, value_hash, object_id, h_order_pk)
select
    source,
    value_hash,
    object_id,
    case when source = 'order_event_log' then coalesce(h_order_pk, dds.hash_key(object_id::text)) end
from named;

analyze batch_events;
