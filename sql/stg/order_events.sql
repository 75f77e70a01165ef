-- One row = an order in its newest version, by (update_ts, sent_dttm, value_hash): never by arrival.
-- From: incoming_orders
-- Grain: object_id
-- Rerun: changes nothing. No "on conflict": that would burn an id for every known order
-- Params: load_dt
merge into stg.order_events as stored
using (
    select
        incoming.object_id,
        incoming.value -> 'payload' as payload,
        incoming.sent_dttm,
        incoming.update_ts,
        incoming.value_hash
    from (
        select distinct on (object_id)
            object_id,
            value,
            sent_dttm,
            update_ts,
            value_hash
        from incoming_orders
        order by object_id asc, update_ts desc, sent_dttm desc, value_hash desc
    ) as incoming
) as newest
on stored.object_id = newest.object_id
when matched
    and (newest.update_ts, newest.sent_dttm, newest.value_hash)
    > (stored.update_ts, stored.sent_dttm, stored.value_hash)
then update set
    payload = newest.payload,
    sent_dttm = newest.sent_dttm,
    update_ts = newest.update_ts,
    value_hash = newest.value_hash,
    load_dt = %(load_dt)s::timestamptz
when not matched
then insert (
    object_id,
    payload,
    object_type,
    sent_dttm,
    update_ts,
    value_hash,
    load_dt
)
values (
    newest.object_id,
    newest.payload,
    'order',
    newest.sent_dttm,
    newest.update_ts,
    newest.value_hash,
    %(load_dt)s::timestamptz
);
