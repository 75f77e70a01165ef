-- One row = a guest and a category with their counter, by the sources' own ids. The hub's name is the key; the mart's must be the same.
-- From: cdm.user_category_counters, dds.h_user, dds.h_category
select
    h_user.user_id,
    case
        when counters.category_name = h_category.category_name then counters.category_name
        else concat(h_category.category_name, ', in the mart ', counters.category_name)
    end as category_name,
    counters.order_cnt
from cdm.user_category_counters as counters
left join dds.h_user on counters.user_id = h_user.h_user_pk
left join dds.h_category on counters.category_id = h_category.h_category_pk;
