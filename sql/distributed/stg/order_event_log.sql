-- One row = a distinct order message. It enters stg.load_queue in the same transaction: what is stored cannot be forgotten. The turn
-- of STG is held: what is new at the first statement is new at the second. Without a conflict: where the log lies in columns,
-- its key refuses a row and skips none.
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
select distinct on (incoming.h_order_pk, incoming.value_hash)
    incoming.h_order_pk,
    incoming.value_hash,
    incoming.object_id,
    incoming.update_ts,
    incoming.sent_dttm,
    incoming.order_dt,
    incoming.user_id,
    incoming.restaurant_id,
    incoming.final_status,
    incoming.cost,
    incoming.payment,
    incoming.item_ids,
    incoming.item_names,
    incoming.value::json,
    incoming.topic,
    incoming."partition",
    incoming."offset",
    incoming.closed_dttm,
    %(load_dt)s::timestamptz
from incoming_orders as incoming
where
    not exists (
        select 1
        from stg.order_event_log as known
        where
            known.h_order_pk = incoming.h_order_pk
            and known.value_hash = incoming.value_hash
    )
order by incoming.h_order_pk asc, incoming.value_hash asc, incoming."partition" asc, incoming."offset" asc;
