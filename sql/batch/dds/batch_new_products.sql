-- Temporary: the dishes that no batch before this one knew; filled by the statement that writes their hub.
-- Grain: h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_new_products (
    h_product_pk uuid
) on commit drop;
