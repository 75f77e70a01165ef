-- Law dds.s_order_cost: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key of
-- both.
-- Over: orders
-- Params: none
select
    satellite.hk_order_cost_pk,
    satellite.h_order_pk,
    satellite.value_hash
from batch_checked_orders as checked
inner join dds.s_order_cost as satellite on checked.h_order_pk = satellite.h_order_pk
left join dds.h_order as hub on satellite.h_order_pk = hub.h_order_pk
where
    hub.h_order_pk is null
    or satellite.hk_order_cost_pk <> dds.hash_key(satellite.h_order_pk::text, satellite.value_hash::text)
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = satellite.value_hash
    );

-- Law dds.s_order_cost.newest: the current cost and payment of each order are those of its newest message. Orders with a message in
-- the queue are left out.
-- Over: orders
-- Params: none
select
    checked.order_id,
    log.cost as newest_cost,
    log.payment as newest_payment,
    current_rows.cost,
    current_rows.payment
from batch_checked_orders as checked
inner join stg.order_events as newest on checked.order_id = newest.object_id
inner join stg.order_event_log as log on newest.value_hash = log.value_hash
left join lateral (
    select
        current_row.cost,
        current_row.payment
    from dds.current_order_cost as current_row
    where current_row.h_order_pk = checked.h_order_pk
    limit 1
) as current_rows on true
where
    (current_rows.cost, current_rows.payment) is distinct from (log.cost, log.payment)
    and checked.order_id not in (select queued.object_id from stg.queued_orders as queued);
