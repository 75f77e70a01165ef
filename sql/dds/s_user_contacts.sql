-- One row = a change of a guest's phone or e-mail, by business time; who never had any has none.
-- From: batch_references
-- Grain: h_user_pk, a version that differs from the one before it
-- Rerun: adds no row
-- Params: load_dt
insert into dds.s_user_contacts (
    hk_user_contacts_pk,
    h_user_pk,
    phone,
    email,
    effective_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    dds.hash_key(object_pk::text, value_hash::text),
    object_pk,
    phone,
    email,
    update_ts,
    value_hash,
    %(load_dt)s::timestamptz,
    'redis'
from (
    select
        *,
        lag(phone) over timeline as phone_before,
        lag(email) over timeline as email_before
    from batch_references
    where object_type = 'user'
    window timeline as (
        partition by object_pk
        order by update_ts asc, value_hash asc
    )
) as versions
where
    not is_before
    and (phone is distinct from phone_before or email is distinct from email_before)
on conflict do nothing;
