-- Law: the order and the product of each link stand in their hubs, and its key is dds.hash_key of both business keys.
-- Params: none
select
    link.hk_order_product_pk,
    link.h_order_pk,
    link.h_product_pk,
    order_hub.order_id,
    product_hub.product_id
from dds.l_order_product as link
left join dds.h_order as order_hub on link.h_order_pk = order_hub.h_order_pk
left join dds.h_product as product_hub on link.h_product_pk = product_hub.h_product_pk
where
    order_hub.h_order_pk is null
    or product_hub.h_product_pk is null
    or link.hk_order_product_pk <> dds.hash_key(order_hub.order_id::text, product_hub.product_id);
