-- One row = how many guests would carry a tag of the category with this threshold.
-- From: cdm.v_category_thresholds
-- Params: none
select
    category_name,
    threshold,
    guests
from cdm.v_category_thresholds
order by category_name asc, threshold asc;
