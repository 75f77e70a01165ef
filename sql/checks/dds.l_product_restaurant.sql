-- Law dds.l_product_restaurant: the product and the restaurant of each link stand in their hubs, and its key is dds.hash_key of both
-- business keys.
-- Over: all
-- Params: none
select
    link.hk_product_restaurant_pk,
    link.h_product_pk,
    link.h_restaurant_pk,
    product_hub.product_id,
    restaurant_hub.restaurant_id
from dds.l_product_restaurant as link
left join dds.h_product as product_hub on link.h_product_pk = product_hub.h_product_pk
left join dds.h_restaurant as restaurant_hub on link.h_restaurant_pk = restaurant_hub.h_restaurant_pk
where
    product_hub.h_product_pk is null
    or restaurant_hub.h_restaurant_pk is null
    or link.hk_product_restaurant_pk <> dds.hash_key(product_hub.product_id, restaurant_hub.restaurant_id);
