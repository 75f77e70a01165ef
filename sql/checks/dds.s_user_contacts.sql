-- Law dds.s_user_contacts: the parent of each row stands in its hub, STG holds the version that says so, and the key is
-- dds.hash_key of both.
-- Over: guests
-- Params: none
select
    satellite.hk_user_contacts_pk,
    satellite.h_user_pk,
    satellite.value_hash
from batch_checked_guests as checked
inner join dds.s_user_contacts as satellite on checked.h_user_pk = satellite.h_user_pk
left join dds.h_user as hub on satellite.h_user_pk = hub.h_user_pk
where
    hub.h_user_pk is null
    or satellite.hk_user_contacts_pk <> dds.hash_key(satellite.h_user_pk::text, satellite.value_hash::text)
    or not exists (
        select 1
        from stg.reference_log as log
        where log.value_hash = satellite.value_hash
    );

-- Law dds.s_user_contacts.newest: each guest now has the phone and e-mail of their newest document. Those with a document in the queue are
-- left out.
-- Over: guests
-- Params: none
select
    checked.h_user_pk,
    newest.value_hash,
    (newest.phone is distinct from current_rows.phone) as is_phone_wrong,
    (newest.email is distinct from current_rows.email) as is_email_wrong
from batch_checked_guests as checked
inner join dds.h_user as hub on checked.h_user_pk = hub.h_user_pk
cross join lateral (
    select
        log.object_id,
        log.phone,
        log.email,
        log.value_hash
    from stg.reference_log as log
    where
        log.object_type = 'user'
        and log.object_id = hub.user_id
    order by log.update_ts desc, log.value_hash desc
    limit 1
) as newest
left join lateral (
    select
        current_row.phone,
        current_row.email
    from dds.current_user_contacts as current_row
    where current_row.h_user_pk = checked.h_user_pk
    limit 1
) as current_rows on true
where
    (current_rows.phone, current_rows.email) is distinct from (newest.phone, newest.email)
    and newest.object_id not in (
        select queued.object_id
        from stg.queued_documents as queued
        where queued.object_type = 'user'
    );
