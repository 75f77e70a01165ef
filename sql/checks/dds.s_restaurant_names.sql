-- Law: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key of both.
-- Params: none
select
    satellite.hk_restaurant_names_pk,
    satellite.h_restaurant_pk,
    satellite.value_hash
from dds.s_restaurant_names as satellite
left join dds.h_restaurant as hub on satellite.h_restaurant_pk = hub.h_restaurant_pk
where
    hub.h_restaurant_pk is null
    or satellite.hk_restaurant_names_pk <> dds.hash_key(satellite.h_restaurant_pk::text, satellite.value_hash::text)
    or not exists (
        select 1
        from stg.reference_log as log
        where log.value_hash = satellite.value_hash
    );
