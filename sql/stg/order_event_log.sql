-- One row = a distinct order message. It enters stg.load_queue in the same statement: what is stored cannot be forgotten.
-- From: incoming_orders, which has the columns of the log
-- Grain: value_hash, the content of the message
-- Rerun: a message that is known adds nothing, wherever it comes from
-- Params: load_dt
with accepted as (
    insert into stg.order_event_log
    select *  -- noqa: AM04
    from incoming_orders
    on conflict (value_hash) do nothing
    returning value_hash, object_id
)

insert into stg.load_queue (source, value_hash, load_dt, object_id, h_order_pk)
select
    'order_event_log',
    value_hash,
    %(load_dt)s::timestamptz,
    object_id,
    dds.hash_key(object_id::text)
from accepted;
