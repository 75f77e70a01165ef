-- Temporary: the dishes that were known before this batch and whose name or category it has changed. Usually there are none, nor in a
-- first load, which the planner must know: else it makes room in memory in proportion to the history.
-- From: batch_changed_products, dds.h_product
-- Grain: h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: load_dt
create temporary table batch_known_changes (
    h_product_pk uuid
) on commit drop;

insert into batch_known_changes (h_product_pk)
select distinct changed.h_product_pk
from batch_changed_products as changed
inner join dds.h_product as hub on changed.h_product_pk = hub.h_product_pk
where hub.load_dt <> %(load_dt)s::timestamptz;

analyze batch_known_changes;
