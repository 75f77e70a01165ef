-- Law dds.s_restaurant_names: the parent of each row stands in its hub, STG holds the version that says so, and the key is
-- dds.hash_key of both.
-- Over: all
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

-- Law dds.s_restaurant_names.newest: each restaurant now has the name of its newest document. Those with a document in the queue are
-- left out.
-- Over: all
-- Params: none
with newest as (
    select distinct on (log.object_id)
        log.object_id,
        log.name
    from stg.reference_log as log
    where log.object_type = 'restaurant'
    order by log.object_id asc, log.update_ts desc, log.value_hash desc
)

select
    newest.object_id as restaurant_id,
    newest.name as newest_name,
    current_rows.name
from newest
left join dds.current_restaurant_names as current_rows on dds.hash_key(newest.object_id) = current_rows.h_restaurant_pk
where
    (current_rows.h_restaurant_pk is null or current_rows.name is distinct from newest.name)
    and newest.object_id not in (
        select queued.object_id
        from stg.queued_documents as queued
        where queued.object_type = 'restaurant'
    );
