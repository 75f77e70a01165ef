-- Temporary: which dishes the batch's orders hold, and which restaurants sold them. The lines are many, these are few.
-- From: batch_lines
-- Grain: h_product_pk, h_restaurant_pk, load_src
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_sold (
    h_product_pk uuid,
    h_restaurant_pk uuid,
    product_id text,
    restaurant_id text,
    load_src text
) on commit drop;

insert into batch_sold
select distinct
    h_product_pk,
    h_restaurant_pk,
    product_id,
    restaurant_id,
    load_src
from batch_lines;

analyze batch_sold;
