-- Temporary: the order messages of one chunk, as the drain copies them in.
-- Grain: a message of Kafka; the same content may stand in it twice
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table incoming_orders (
    value_hash uuid,
    object_id bigint,
    update_ts timestamptz,
    sent_dttm timestamptz,
    order_dt timestamptz,
    user_id text,
    restaurant_id text,
    final_status text,
    closed_dttm timestamptz,
    cost numeric,
    payment numeric,
    item_ids text[],
    item_names text[],
    value json,
    topic text,
    "partition" integer,
    "offset" bigint
) on commit drop;
