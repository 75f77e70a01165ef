-- Law dds.h_order: the key of each order is dds.hash_key of its business key.
-- Over: orders
-- Params: none
select
    hub.h_order_pk,
    hub.order_id
from batch_checked_orders as checked
inner join dds.h_order as hub on checked.h_order_pk = hub.h_order_pk
where hub.h_order_pk <> dds.hash_key(hub.order_id::text);

-- Law dds.h_order.current: each order has exactly one current status, one current cost and one current guest.
-- Over: orders
-- Params: none
select
    hub.order_id,
    found.statuses,
    found.costs,
    found.guests
from batch_checked_orders as checked
inner join dds.h_order as hub on checked.h_order_pk = hub.h_order_pk
cross join lateral (
    select
        (
            select count(*)
            from dds.s_order_status as stored
            inner join dds.current_order_status as newest
                on
                    stored.h_order_pk = newest.h_order_pk
                    and stored.effective_dttm = newest.effective_dttm
                    and stored.value_hash = newest.value_hash
            where stored.h_order_pk = hub.h_order_pk
        ) as statuses,
        (
            select count(*)
            from dds.s_order_cost as stored
            inner join dds.current_order_cost as newest
                on
                    stored.h_order_pk = newest.h_order_pk
                    and stored.effective_dttm = newest.effective_dttm
                    and stored.value_hash = newest.value_hash
            where stored.h_order_pk = hub.h_order_pk
        ) as costs,
        (
            select count(*)
            from dds.es_order_user as stored
            inner join dds.current_order_user as newest
                on
                    stored.h_order_pk = newest.h_order_pk
                    and stored.effective_dttm = newest.effective_dttm
                    and stored.value_hash = newest.value_hash
            where stored.h_order_pk = hub.h_order_pk
        ) as guests
    offset 0
) as found
where (found.statuses, found.costs, found.guests) is distinct from (1, 1, 1);
