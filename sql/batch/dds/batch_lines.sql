-- Temporary: the dishes of those order versions. A version that holds a dish begins a stretch where the version before it does not
-- hold it, and ends it where the version after it, if there is one, does not; the first of the batch begins the link, if it is
-- new.
-- The version that is only compared with begins nothing. The rows lie in the order of (order, dish).
-- From: batch_orders
-- Grain: value_hash, h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_lines (
    h_order_pk uuid,
    h_product_pk uuid,
    h_restaurant_pk uuid,
    version integer,
    is_first boolean,
    is_begin boolean,
    is_end boolean,
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
    held.h_order_pk,
    held.h_product_pk,
    held.h_restaurant_pk,
    held.version,
    lag(held.version) over stretch is null,
    not held.is_before and lag(held.version, 1, -1) over stretch <> held.version - 1,
    not held.is_last and lead(held.version, 1, 0) over stretch <> held.version + 1,
    held.update_ts,
    held.sent_dttm,
    held.value_hash,
    held.order_id,
    held.product_id,
    held.product_name,
    held.restaurant_id,
    held.load_src
from (
    select
        line.*,
        dds.hash_key(line.product_id) as h_product_pk
    from (
        select
            h_order_pk,
            h_restaurant_pk,
            version,
            is_last,
            is_before,
            update_ts,
            sent_dttm,
            value_hash,
            order_id,
            restaurant_id,
            load_src,
            -- Side by side they go in step, and the arrays are parallel.
            unnest(item_ids) as product_id,
            unnest(item_names) as product_name
        from batch_orders
    ) as line
) as held
window stretch as (
    partition by held.h_order_pk, held.h_product_pk
    order by held.version asc
);

analyze batch_lines;
