-- One row = a dish, by how much it is ordered.
-- From: cdm.v_product_counters
-- Params: limit
select
    product_id,
    product_name,
    category_name,
    guests,
    order_cnt
from cdm.v_product_counters
order by order_cnt desc, product_id asc
limit %(limit)s;
