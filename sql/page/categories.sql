-- One row = a category, by how much it is ordered.
-- From: cdm.v_category_counters
-- Params: none
select
    category_name,
    guests,
    order_cnt
from cdm.v_category_counters
order by order_cnt desc, category_name asc;
