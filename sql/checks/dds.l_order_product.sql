-- Law dds.l_order_product: the order and the product of each link stand in their hubs, and its key is dds.hash_key of both business
-- keys.
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

-- Law dds.l_order_product.current: of each link between an order and a dish exactly one current row tells whether it holds.
-- Params: none
select
    link.h_order_pk,
    link.h_product_pk,
    count(stored.value_hash) as current_rows
from dds.l_order_product as link
left join dds.current_order_product as newest
    on
        link.h_order_pk = newest.h_order_pk
        and link.h_product_pk = newest.h_product_pk
left join dds.es_order_product as stored
    on
        newest.h_order_pk = stored.h_order_pk
        and newest.h_product_pk = stored.h_product_pk
        and newest.effective_dttm = stored.effective_dttm
        and newest.value_hash = stored.value_hash
group by link.hk_order_product_pk, link.h_order_pk, link.h_product_pk
having count(stored.value_hash) <> 1;
