-- One row = a message of the log of which the rules of today say something else than the log does. Empties the chunk's table.
-- From: incoming_orders, stg.order_event_log
-- Grain: value_hash
-- Rerun: a message is judged once in a transaction
-- Params: gone_hashes (those of the chunk that are not accepted by now)
analyze incoming_orders;

insert into stg.judged_orders (
    value_hash,
    is_accepted,
    object_id,
    update_ts,
    sent_dttm,
    order_dt,
    user_id,
    restaurant_id,
    final_status,
    closed_dttm,
    cost,
    payment,
    item_ids,
    item_names
)
select
    today.value_hash,
    true,
    today.object_id,
    today.update_ts,
    today.sent_dttm,
    today.order_dt,
    today.user_id,
    today.restaurant_id,
    today.final_status,
    today.closed_dttm,
    today.cost,
    today.payment,
    today.item_ids,
    today.item_names
from incoming_orders as today
inner join stg.order_event_log as log on today.value_hash = log.value_hash
where
    (
        today.object_id,
        today.update_ts,
        today.sent_dttm,
        today.order_dt,
        today.user_id,
        today.restaurant_id,
        today.final_status,
        today.closed_dttm,
        today.cost,
        today.payment,
        today.item_ids,
        today.item_names
    )
    is distinct from (
        log.object_id,
        log.update_ts,
        log.sent_dttm,
        log.order_dt,
        log.user_id,
        log.restaurant_id,
        log.final_status,
        log.closed_dttm,
        log.cost,
        log.payment,
        log.item_ids,
        log.item_names
    );

insert into stg.judged_orders (value_hash, is_accepted)
select
    gone.value_hash,
    false
from unnest(%(gone_hashes)s::uuid[]) as gone (value_hash);

truncate incoming_orders;
