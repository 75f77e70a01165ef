-- Temporary: the orders of this batch with every version of theirs that STG holds, not only the new ones: so a late version is
-- put on its order's whole timeline, and the result does not depend on how the messages were cut into batches.
-- Each version knows its place on the timeline and what it changes; the first one changes everything. The rows lie in the order of
-- the key, as the timeline's sort leaves them: so they enter the indexes of the vault from left to right. The key of a satellite's
-- row is the same in all satellites of the order: it is made once.
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
    version_pk uuid,
    version integer,
    is_last boolean,
    is_cost_changed boolean,
    is_status_changed boolean,
    is_user_changed boolean,
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
    placed.h_order_pk,
    dds.hash_key(placed.user_id),
    dds.hash_key(placed.restaurant_id),
    placed.update_ts,
    placed.sent_dttm,
    placed.value_hash,
    dds.hash_key(placed.h_order_pk::text, placed.value_hash::text),
    placed.version,
    placed.is_last,
    placed.version = 1 or (placed.cost, placed.payment) is distinct from (placed.cost_before, placed.payment_before),
    placed.version = 1 or placed.final_status <> placed.status_before,
    placed.version = 1 or placed.user_id <> placed.user_before,
    placed.object_id,
    placed.user_id,
    placed.restaurant_id,
    placed.order_dt,
    placed.final_status,
    placed.cost,
    placed.payment,
    placed.item_ids,
    placed.item_names,
    'kafka:' || placed.topic
from (
    select
        versions.*,
        dds.hash_key(versions.object_id::text) as h_order_pk,
        row_number() over timeline as version,
        lead(versions.value_hash) over timeline is null as is_last,
        lag(versions.cost) over timeline as cost_before,
        lag(versions.payment) over timeline as payment_before,
        lag(versions.final_status) over timeline as status_before,
        lag(versions.user_id) over timeline as user_before
    from (
        select distinct object_id
        from batch_events
        where source = 'order_event_log'
    ) as touched
    inner join stg.order_event_log as versions on touched.object_id = versions.object_id
    window timeline as (
        partition by dds.hash_key(versions.object_id::text)
        order by versions.update_ts asc, versions.sent_dttm asc, versions.value_hash asc
    )
) as placed;

-- Not the arrays and the texts: nothing is looked for in them, and their statistics take most of the time.
analyze batch_orders (
    h_order_pk,
    h_user_pk,
    h_restaurant_pk,
    value_hash,
    version,
    is_last,
    is_cost_changed,
    is_status_changed,
    is_user_changed
);
