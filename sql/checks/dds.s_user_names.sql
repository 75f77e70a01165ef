-- Law dds.s_user_names: the parent of each row stands in its hub, STG holds the version that says so, and the key is dds.hash_key of
-- both.
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

-- Law dds.s_user_names.newest: each guest now has the name and login of their newest document. Those with a document in the queue
-- are left out.
-- Params: none
with newest as (
    select distinct on (log.object_id)
        log.object_id,
        log.name,
        log.login
    from stg.reference_log as log
    where log.object_type = 'user'
    order by log.object_id asc, log.update_ts desc, log.value_hash desc
)

select
    newest.object_id as user_id,
    newest.name as newest_name,
    current_rows.username,
    newest.login as newest_login,
    current_rows.userlogin
from newest
left join dds.current_user_names as current_rows on dds.hash_key(newest.object_id) = current_rows.h_user_pk
where
    (current_rows.h_user_pk is null or (current_rows.username, current_rows.userlogin) is distinct from (newest.name, newest.login))
    and newest.object_id not in (
        select queued.object_id
        from stg.queued_documents as queued
        where queued.object_type = 'user'
    );
