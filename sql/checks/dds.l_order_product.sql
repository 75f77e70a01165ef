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
    count(placed.place) as current_rows
from dds.l_order_product as link
left join (
    select
        h_order_pk,
        h_product_pk,
        rank() over (
            partition by h_order_pk, h_product_pk
            order by effective_dttm desc, sent_dttm desc, value_hash desc
        ) as place
    from dds.es_order_product
) as placed
    on
        link.h_order_pk = placed.h_order_pk
        and link.h_product_pk = placed.h_product_pk
        and placed.place = 1
group by link.hk_order_product_pk, link.h_order_pk, link.h_product_pk
having count(placed.place) <> 1;
