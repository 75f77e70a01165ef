-- Law dds.l_order_product: the order and the product of each link stand in their hubs, and its key is dds.hash_key of both business
-- keys.
-- Over: rows
-- Params: first_key, last_key, changed_since
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
    (
        link.hk_order_product_pk between %(first_key)s::uuid and %(last_key)s::uuid
        or link.load_dt > %(changed_since)s::timestamptz
    )
    and (
        order_hub.h_order_pk is null
        or product_hub.h_product_pk is null
        or link.hk_order_product_pk <> dds.hash_key(order_hub.order_id::text, product_hub.product_id)
    );

-- Law dds.l_order_product.current: of each link between an order and a dish exactly one current row tells whether it holds.
-- Over: rows
-- Params: first_key, last_key, changed_since
select
    link.h_order_pk,
    link.h_product_pk,
    found.current_rows
from dds.l_order_product as link
cross join lateral (
    select count(*) as current_rows
    from dds.current_order_product as newest
    inner join dds.es_order_product as stored
        on
            newest.h_order_pk = stored.h_order_pk
            and newest.h_product_pk = stored.h_product_pk
            and newest.effective_dttm = stored.effective_dttm
            and newest.value_hash = stored.value_hash
    where
        newest.h_order_pk = link.h_order_pk
        and newest.h_product_pk = link.h_product_pk
) as found
where
    (
        link.hk_order_product_pk between %(first_key)s::uuid and %(last_key)s::uuid
        or link.load_dt > %(changed_since)s::timestamptz
    )
    and found.current_rows <> 1;
