-- Temporary: the newest version of each order of one chunk, by (update_ts, sent_dttm, value_hash): never by arrival.
-- From: incoming_orders
-- Grain: object_id
-- Rerun: emptied at the end of the transaction
-- Params: none
create temporary table incoming_newest (
    object_id bigint,
    update_ts timestamptz,
    sent_dttm timestamptz,
    value_hash uuid,
    order_dt timestamptz,
    restaurant_id text,
    status text,
    cost numeric,
    is_empty boolean,
    payload json,
    h_order_pk uuid
) on commit drop;

insert into incoming_newest
select
    object_id,
    update_ts,
    sent_dttm,
    value_hash,
    order_dt,
    restaurant_id,
    final_status,
    cost,
    cardinality(item_ids) = 0,
    value::json -> 'payload',
    h_order_pk
from (
    select distinct on (h_order_pk) *
    from incoming_orders
    order by h_order_pk asc, update_ts desc, sent_dttm desc, value_hash desc
) as newest;
