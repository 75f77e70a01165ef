-- One row = an order in its newest version, as batch/stg/incoming_newest.sql compares them.
-- From: incoming_newest
-- Grain: object_id
-- Rerun: changes nothing
-- Params: load_dt
merge into stg.order_events as stored
using incoming_newest as newest
on stored.h_order_pk = newest.h_order_pk
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
    h_order_pk,
    id,
    object_id,
    payload,
    object_type,
    sent_dttm,
    update_ts,
    value_hash,
    load_dt
)
values (
    newest.h_order_pk,
    newest.object_id,
    newest.object_id,
    newest.payload,
    'order',
    newest.sent_dttm,
    newest.update_ts,
    newest.value_hash,
    %(load_dt)s::timestamptz
);
