-- Law dds.h_order: the key of each order is dds.hash_key of its business key.
-- Params: none
select
    h_order_pk,
    order_id
from dds.h_order
where h_order_pk <> dds.hash_key(order_id::text);

-- Law dds.h_order.current: each order has exactly one current status, one current cost and one current guest.
-- Params: none
with placed as (
    select
        'status' as attribute,
        h_order_pk,
        rank() over (partition by h_order_pk order by effective_dttm desc, sent_dttm desc, value_hash desc) as place
    from dds.s_order_status

    union all

    select
        'cost' as attribute,
        h_order_pk,
        rank() over (partition by h_order_pk order by effective_dttm desc, sent_dttm desc, value_hash desc) as place
    from dds.s_order_cost

    union all

    select
        'guest' as attribute,
        h_order_pk,
        rank() over (partition by h_order_pk order by effective_dttm desc, sent_dttm desc, value_hash desc) as place
    from dds.es_order_user
),

found as (
    select
        h_order_pk,
        count(*) filter (where attribute = 'status') as statuses,
        count(*) filter (where attribute = 'cost') as costs,
        count(*) filter (where attribute = 'guest') as guests
    from placed
    where place = 1
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
