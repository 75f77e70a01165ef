-- Law dds.h_order: the key of each order is dds.hash_key of its business key.
-- Params: none
select
    h_order_pk,
    order_id
from dds.h_order
where h_order_pk <> dds.hash_key(order_id::text);

-- Law dds.h_order.current: each order has exactly one current status, one current cost and one current guest.
-- Params: none
with current_rows as (
    select
        'status' as attribute,
        stored.h_order_pk
    from dds.s_order_status as stored
    inner join dds.current_order_status as newest
        on
            stored.h_order_pk = newest.h_order_pk
            and stored.effective_dttm = newest.effective_dttm
            and stored.value_hash = newest.value_hash

    union all

    select
        'cost' as attribute,
        stored.h_order_pk
    from dds.s_order_cost as stored
    inner join dds.current_order_cost as newest
        on
            stored.h_order_pk = newest.h_order_pk
            and stored.effective_dttm = newest.effective_dttm
            and stored.value_hash = newest.value_hash

    union all

    select
        'guest' as attribute,
        stored.h_order_pk
    from dds.es_order_user as stored
    inner join dds.current_order_user as newest
        on
            stored.h_order_pk = newest.h_order_pk
            and stored.effective_dttm = newest.effective_dttm
            and stored.value_hash = newest.value_hash
),

found as (
    select
        h_order_pk,
        count(*) filter (where attribute = 'status') as statuses,
        count(*) filter (where attribute = 'cost') as costs,
        count(*) filter (where attribute = 'guest') as guests
    from current_rows
    group by h_order_pk
)

select
    hub.order_id,
    coalesce(found.statuses, 0) as statuses,
    coalesce(found.costs, 0) as costs,
    coalesce(found.guests, 0) as guests
from dds.h_order as hub
left join found on hub.h_order_pk = found.h_order_pk
where (found.statuses, found.costs, found.guests) is distinct from (1, 1, 1);
