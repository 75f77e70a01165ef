-- Beside the order's key, by which the rows find their worker, as they come in. The message is a text on its way: so the coordinator,
-- through which all of them pass, does not read it.
-- Grain: a message of Kafka; the same content may stand in it twice
-- Rerun: emptied at the end of the transaction
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
    cost numeric,
    payment numeric,
    item_ids text[],
    item_names text[],
    value text,
    topic text,
    "partition" integer,
    "offset" bigint,
    load_dt timestamptz,
    closed_dttm timestamptz,
    h_order_pk uuid
) on commit drop;
