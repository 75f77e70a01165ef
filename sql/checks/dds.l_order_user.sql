-- Law dds.l_order_user: the order and the user of each link stand in their hubs, and its key is dds.hash_key of both business keys.
-- Over: rows
-- Params: first_key, last_key, changed_since
select
    link.hk_order_user_pk,
    link.h_order_pk,
    link.h_user_pk,
    order_hub.order_id
from dds.l_order_user as link
left join dds.h_order as order_hub on link.h_order_pk = order_hub.h_order_pk
left join dds.h_user as user_hub on link.h_user_pk = user_hub.h_user_pk
where
    (
        link.hk_order_user_pk between %(first_key)s::uuid and %(last_key)s::uuid
        or link.load_dt > %(changed_since)s::timestamptz
    )
    and (
        order_hub.h_order_pk is null
        or user_hub.h_user_pk is null
        or link.hk_order_user_pk <> dds.hash_key(order_hub.order_id::text, user_hub.user_id)
    );
