-- Law: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key of both.
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
