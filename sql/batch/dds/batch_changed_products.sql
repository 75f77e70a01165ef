-- Temporary: the dishes whose name or category this batch has changed; filled by the statements that write them.
-- Grain: h_product_pk, repeated
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_changed_products (
    h_product_pk uuid
) on commit drop;
