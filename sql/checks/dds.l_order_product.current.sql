-- Law: of each link between an order and a dish exactly one current row tells whether it holds.
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
