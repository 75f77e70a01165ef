-- Law dds.s_order_cost: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key of
-- both.
-- Params: none
select
    satellite.hk_order_cost_pk,
    satellite.h_order_pk,
    satellite.value_hash
from dds.s_order_cost as satellite
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
-- Params: none
select
    newest.object_id as order_id,
    log.cost as newest_cost,
    log.payment as newest_payment,
    current_rows.cost,
    current_rows.payment
from stg.order_events as newest
inner join stg.order_event_log as log on newest.value_hash = log.value_hash
left join dds.current_order_cost as current_rows on dds.hash_key(newest.object_id::text) = current_rows.h_order_pk
where
    (current_rows.cost, current_rows.payment) is distinct from (log.cost, log.payment)
    and newest.object_id not in (select queued.object_id from stg.queued_orders as queued);
