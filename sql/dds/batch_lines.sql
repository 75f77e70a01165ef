-- Temporary: the dishes of those order versions.
-- From: batch_orders
-- Grain: value_hash, h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_lines (
    h_order_pk uuid,
    h_product_pk uuid,
    h_restaurant_pk uuid,
    version integer,
    last_version integer,
    update_ts timestamptz,
    sent_dttm timestamptz,
    value_hash uuid,
    order_id bigint,
    product_id text,
    product_name text,
    restaurant_id text,
    load_src text
) on commit drop;

insert into batch_lines
select
    versions.h_order_pk,
    dds.hash_key(line.product_id),
    versions.h_restaurant_pk,
    versions.version,
    versions.last_version,
    versions.update_ts,
    versions.sent_dttm,
    versions.value_hash,
    versions.order_id,
    line.product_id,
    line.product_name,
    versions.restaurant_id,
    versions.load_src
from batch_orders as versions
cross join lateral unnest(versions.item_ids, versions.item_names) as line (product_id, product_name);

analyze batch_lines;
