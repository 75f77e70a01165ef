-- Temporary: the orders of this batch with every version of theirs that STG holds, not only the new ones: so a late version is
-- put on its order's whole timeline, and the result does not depend on how the messages were cut into batches.
-- From: batch_events, stg.order_event_log
-- Grain: value_hash (a version of an order)
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_orders (
    h_order_pk uuid,
    h_user_pk uuid,
    h_restaurant_pk uuid,
    update_ts timestamptz,
    sent_dttm timestamptz,
    value_hash uuid,
    order_id bigint,
    user_id text,
    restaurant_id text,
    order_dt timestamptz,
    status text,
    cost numeric,
    payment numeric,
    item_ids text[],
    item_names text[],
    load_src text
) on commit drop;

insert into batch_orders
select
    dds.hash_key(versions.object_id::text),
    dds.hash_key(versions.user_id),
    dds.hash_key(versions.restaurant_id),
    versions.update_ts,
    versions.sent_dttm,
    versions.value_hash,
    versions.object_id,
    versions.user_id,
    versions.restaurant_id,
    versions.order_dt,
    versions.final_status,
    versions.cost,
    versions.payment,
    versions.item_ids,
    versions.item_names,
    'kafka:' || versions.topic
from (
    select distinct claimed.object_id
    from batch_events as batch
    inner join stg.order_event_log as claimed on batch.value_hash = claimed.value_hash
    where batch.source = 'order_event_log'
) as touched
inner join stg.order_event_log as versions on touched.object_id = versions.object_id;

analyze batch_orders;
