-- The categories that a rule can name: those that some menu has written.
-- From: dds.h_category
-- Grain: category_name
-- Rerun: reads only
-- Params: none
select category_name
from dds.h_category
order by category_name;
