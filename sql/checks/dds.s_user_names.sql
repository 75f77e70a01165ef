-- Law: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key of both.
-- Params: none
select
    satellite.hk_user_names_pk,
    satellite.h_user_pk,
    satellite.value_hash
from dds.s_user_names as satellite
left join dds.h_user as hub on satellite.h_user_pk = hub.h_user_pk
where
    hub.h_user_pk is null
    or satellite.hk_user_names_pk <> dds.hash_key(satellite.h_user_pk::text, satellite.value_hash::text)
    or not exists (
        select 1
        from stg.reference_log as log
        where log.value_hash = satellite.value_hash
    );
