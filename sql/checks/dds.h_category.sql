-- Law dds.h_category: the key of each category is dds.hash_key of its business key.
-- Over: all
-- Params: none
select
    h_category_pk,
    category_name
from dds.h_category
where h_category_pk <> dds.hash_key(category_name);
