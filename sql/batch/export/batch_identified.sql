-- Temporary: the candidates with their identifier as it stands in the channel's files, or why they have none. Each that is written is
-- brought into the channel's form and hashed once, whoever has it.
-- From: batch_candidates, cdm.audiences
-- Grain: h_user_pk
-- Rerun: dropped at the end of the transaction
-- Params: audience, inner_pad, outer_pad (of HMAC, by the key of the channel; NULL where the audience needs none)
create temporary table batch_identified (
    user_id uuid,
    is_tagged boolean,
    is_suppressed boolean,
    has_consent boolean,
    is_control boolean,
    identifier text,
    fault text
) on commit drop;

insert into batch_identified
with audience as (
    select
        identifier as kind,
        format
    from cdm.audiences
    where audience = %(audience)s
),

plain as (
    select
        found.written,
        audience.kind,
        case
            when audience.kind in ('guest_id', 'login_hmac') then found.written
            when audience.kind = 'email_sha256' then cdm.email_plain(found.written, audience.format = 'google')
            else cdm.phone_digits(found.written)
        end as text,
        case when audience.format = 'google' and audience.kind like 'phone_%%' then '+' else '' end as sign
    from (select distinct written from batch_candidates) as found
    cross join audience
),

hashed as (
    select
        written,
        case
            when written is null or text = '' then 'no_identifier'
            when
                kind not in ('guest_id', 'login_hmac')
                and written ~ '^\s*([0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})\s*$'
                then 'already_hashed'
            when text is null then 'invalid'
        end as fault,
        case
            when kind = 'guest_id' then text
            when kind = 'phone_md5' then md5(sign || text)
            when kind = 'login_hmac'
                then encode(sha256(%(outer_pad)s::bytea || sha256(%(inner_pad)s::bytea || convert_to(text, 'UTF8'))), 'hex')
            else encode(sha256(convert_to(sign || text, 'UTF8')), 'hex')
        end as identifier
    from plain
)

select
    candidates.user_id,
    candidates.is_tagged,
    candidates.is_suppressed,
    candidates.has_consent,
    candidates.is_control,
    case when hashed.fault is null then hashed.identifier end,
    hashed.fault
from batch_candidates as candidates
inner join hashed on candidates.written is not distinct from hashed.written;

analyze batch_identified;
