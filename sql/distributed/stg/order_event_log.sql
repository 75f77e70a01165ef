-- One row = a distinct order message. It enters stg.load_queue in the same transaction: what is stored cannot be forgotten. The turn
-- of STG is held: what is new at the first statement is new at the second.
-- From: incoming_orders
-- Grain: value_hash, the content of the message
-- Rerun: a message that is known adds nothing, wherever it comes from
-- Params: load_dt
insert into stg.load_queue (object_pk, source, value_hash, load_dt, object_id, h_order_pk)
select distinct
    incoming.h_order_pk,
    'order_event_log',
    incoming.value_hash,
    %(load_dt)s::timestamptz,
    incoming.object_id,
    incoming.h_order_pk
from incoming_orders as incoming
where
    not exists (
        select 1
        from stg.order_event_log as known
        where
            known.h_order_pk = incoming.h_order_pk
            and known.value_hash = incoming.value_hash
    );

insert into stg.order_event_log (
    h_order_pk,
    value_hash,
    object_id,
    update_ts,
    sent_dttm,
    order_dt,
    user_id,
    restaurant_id,
    final_status,
    cost,
    payment,
    item_ids,
    item_names,
    value,
    topic,
    "partition",
    "offset",
    closed_dttm,
    load_dt
)
select
    h_order_pk,
    value_hash,
    object_id,
    update_ts,
    sent_dttm,
    order_dt,
    user_id,
    restaurant_id,
    final_status,
    cost,
    payment,
    item_ids,
    item_names,
    value,
    topic,
    "partition",
    "offset",
    closed_dttm,
    %(load_dt)s::timestamptz
from incoming_orders
on conflict do nothing;
