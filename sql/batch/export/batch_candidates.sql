-- Temporary: the guests whom an export is about: who carry the tags of the audience, and who are suppressed at its channel, with what
-- they can be told by there.
-- From: cdm.audiences, cdm.user_tags, cdm.suppressions, cdm.consents; dds.h_user, dds.s_user_names, dds.s_user_contacts
-- Grain: h_user_pk
-- Rerun: dropped at the end of the transaction
-- Params: audience, planned_dt
create temporary table batch_candidates (
    user_id uuid,
    is_tagged boolean,
    is_suppressed boolean,
    has_consent boolean,
    is_control boolean,
    written text
) on commit drop;

insert into batch_candidates
with audience as (
    select *  -- noqa: AM04
    from cdm.audiences
    where audience = %(audience)s
),

tagged as (
    select tags.user_id
    from cdm.user_tags as tags
    cross join audience
    where
        audience.status = 'active'
        and tags.tag = any(audience.include_tags || audience.exclude_tags)
    group by
        tags.user_id,
        audience.include_tags
    having
        count(*) filter (where tags.tag = any(audience.include_tags)) = cardinality(audience.include_tags)
        and count(*) = cardinality(audience.include_tags)
),

suppressed as (
    select distinct suppressions.value as guest_id
    from cdm.suppressions as suppressions
    cross join audience
    where
        suppressions.kind = 'guest'
        and suppressions.channel in (audience.channel, '*')
        and suppressions.since <= %(planned_dt)s::timestamptz
        and coalesce(suppressions.until > %(planned_dt)s::timestamptz, true)
),

consented as (
    select distinct consents.guest_id
    from cdm.consents as consents
    cross join audience
    where
        consents.channel in (audience.channel, '*')
        and consents.granted_dt <= %(planned_dt)s::timestamptz
        and coalesce(consents.withdrawn_dt > %(planned_dt)s::timestamptz, true)
)

select
    guest.h_user_pk,
    tagged.user_id is not null,
    suppressed.guest_id is not null,
    not audience.requires_consent or consented.guest_id is not null,
    cdm.draw(audience.salt, guest.user_id) < audience.control_percent * 100,
    case
        when audience.identifier = 'guest_id' then guest.user_id
        when audience.identifier = 'login_hmac' then names.userlogin
        when audience.identifier = 'email_sha256' then contacts.email
        else contacts.phone
    end
from dds.h_user as guest
cross join audience
left join tagged on guest.h_user_pk = tagged.user_id
left join suppressed on guest.user_id = suppressed.guest_id
left join consented on guest.user_id = consented.guest_id
left join dds.current_user_names as names on guest.h_user_pk = names.h_user_pk
left join dds.current_user_contacts as contacts on guest.h_user_pk = contacts.h_user_pk
where tagged.user_id is not null or suppressed.guest_id is not null;

analyze batch_candidates;
