-- Law dds.l_product_category: the product and the category of each link stand in their hubs, and its key is dds.hash_key of both
-- business keys.
-- Over: all
-- Params: none
select
    link.hk_product_category_pk,
    link.h_product_pk,
    link.h_category_pk,
    product_hub.product_id,
    category_hub.category_name
from dds.l_product_category as link
left join dds.h_product as product_hub on link.h_product_pk = product_hub.h_product_pk
left join dds.h_category as category_hub on link.h_category_pk = category_hub.h_category_pk
where
    product_hub.h_product_pk is null
    or category_hub.h_category_pk is null
    or link.hk_product_category_pk <> dds.hash_key(product_hub.product_id, category_hub.category_name);
