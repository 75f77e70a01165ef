-- Law: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key of both.
-- Params: none
select
    satellite.hk_product_names_pk,
    satellite.h_product_pk,
    satellite.value_hash
from dds.s_product_names as satellite
left join dds.h_product as hub on satellite.h_product_pk = hub.h_product_pk
where
    hub.h_product_pk is null
    or satellite.hk_product_names_pk <> dds.hash_key(satellite.h_product_pk::text, satellite.value_hash::text)
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = satellite.value_hash
        union all
        select 1
        from stg.reference_log as log
        where log.value_hash = satellite.value_hash
    );
