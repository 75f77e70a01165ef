-- Temporary: the orders of this batch with their versions from the earliest one that came in: those after it are judged anew, so
-- the result does not depend on how the messages were cut into batches. The version before it comes in to be compared with
-- (is_before), and changes nothing itself. Those before that stay unread, however many there are. An order that the vault does not
-- know is read whole: its hub begins with the first version of all.
-- Each version knows its place among these and what it changes; the first of all changes everything. The rows lie in the order of
-- the key, as the timeline's sort leaves them: so they enter the indexes of the vault from left to right. The key of a satellite's
-- row is the same in all satellites of the order: it is made once.
-- From: batch_events, stg.order_event_log, dds.h_order
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
    is_before boolean,
    is_cost_changed boolean,
    is_status_changed boolean,
    is_user_changed boolean,
    order_id bigint,
    user_id text,
    restaurant_id text,
    order_dt timestamptz,
    status text,
    closed_dttm timestamptz,
    cost numeric,
    payment numeric,
    item_ids text[],
    item_names text[],
    load_src text
) on commit drop;

insert into batch_orders
with touched as (
    select distinct
        object_pk as h_order_pk,
        object_id
    from batch_events
    where source = 'order_event_log'
),

known as (
    select
        touched.h_order_pk,
        touched.object_id
    from touched
    inner join dds.h_order as hub on touched.h_order_pk = hub.h_order_pk
),

-- Where the reading begins in a known order.
first_incoming as (
    select distinct on (log.h_order_pk)
        log.h_order_pk,
        log.update_ts,
        log.sent_dttm,
        log.value_hash
    from known
    inner join batch_events as batch
        on
            known.h_order_pk = batch.object_pk
            and batch.source = 'order_event_log'
    inner join stg.order_event_log as log
        on
            batch.object_pk = log.h_order_pk
            and batch.value_hash = log.value_hash
    order by log.h_order_pk asc, log.update_ts asc, log.sent_dttm asc, log.value_hash asc
),

versions as (
    select
        log.*,
        false as is_before
    from touched
    left join first_incoming on touched.h_order_pk = first_incoming.h_order_pk
    inner join stg.order_event_log as log
        on
            touched.h_order_pk = log.h_order_pk
            and coalesce(first_incoming.update_ts, '-infinity') <= log.update_ts
    where
        first_incoming.h_order_pk is null
        or (log.update_ts, log.sent_dttm, log.value_hash)
        >= (first_incoming.update_ts, first_incoming.sent_dttm, first_incoming.value_hash)

    union all

    select *
    from (
        select distinct on (log.h_order_pk)
            log.*,
            true as is_before
        from first_incoming
        inner join stg.order_event_log as log
            on
                first_incoming.h_order_pk = log.h_order_pk
                and first_incoming.update_ts >= log.update_ts
        where
            (log.update_ts, log.sent_dttm, log.value_hash)
            < (first_incoming.update_ts, first_incoming.sent_dttm, first_incoming.value_hash)
        order by log.h_order_pk asc, log.update_ts desc, log.sent_dttm desc, log.value_hash desc
    ) as version_before
)

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
    placed.is_before,
    not placed.is_before
    and (
        placed.version = 1 or (placed.cost, placed.payment) is distinct from (placed.cost_before, placed.payment_before)
    ),
    not placed.is_before
    and (
        placed.version = 1
        or placed.final_status <> placed.status_before
        or placed.closed_dttm is distinct from placed.closed_before
    ),
    not placed.is_before and (placed.version = 1 or placed.user_id <> placed.user_before),
    placed.object_id,
    placed.user_id,
    placed.restaurant_id,
    placed.order_dt,
    placed.final_status,
    placed.closed_dttm,
    placed.cost,
    placed.payment,
    placed.item_ids,
    placed.item_names,
    'kafka:' || placed.topic
from (
    select
        versions.*,
        row_number() over timeline as version,
        lead(versions.value_hash) over timeline is null as is_last,
        lag(versions.cost) over timeline as cost_before,
        lag(versions.payment) over timeline as payment_before,
        lag(versions.final_status) over timeline as status_before,
        lag(versions.closed_dttm) over timeline as closed_before,
        lag(versions.user_id) over timeline as user_before
    from versions
    window timeline as (
        partition by versions.h_order_pk
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
