-- One row = an order in its newest version, as batch/stg/incoming_newest.sql compares them.
-- From: incoming_newest
-- Grain: object_id
-- Rerun: changes nothing. No "on conflict": that would burn an id for every known order
-- Params: load_dt
merge into stg.order_events as stored
using incoming_newest as newest
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
