-- Temporary: what becomes of each guest with the tags: wanted at the channel, in its control group, or the first reason why neither.
-- An identifier is wanted as long as nobody who has it is suppressed or in control.
-- From: batch_identified, cdm.suppressions, cdm.audiences
-- Grain: h_user_pk
-- Rerun: dropped at the end of the transaction
-- Params: audience, planned_dt
create temporary table batch_wanted (
    user_id uuid,
    identifier text,
    is_tagged boolean,
    is_suppressed boolean,
    verdict text
) on commit drop;

insert into batch_wanted
with suppressed as (
    select distinct suppressions.value as identifier
    from cdm.suppressions as suppressions
    inner join cdm.audiences as audience on suppressions.channel in (audience.channel, '*')
    where
        audience.audience = %(audience)s
        and suppressions.kind = 'identifier'
        and suppressions.since <= %(planned_dt)s::timestamptz
        and coalesce(suppressions.until > %(planned_dt)s::timestamptz, true)
),

judged as (
    select
        identified.user_id,
        identified.identifier,
        identified.is_tagged,
        identified.is_suppressed or suppressed.identifier is not null as is_suppressed,
        case
            when identified.is_suppressed or suppressed.identifier is not null then 'suppressed'
            when not identified.has_consent then 'no_consent'
            when identified.fault is not null then identified.fault
            when identified.is_control then 'control'
            else 'wanted'
        end as verdict
    from batch_identified as identified
    left join suppressed on identified.identifier = suppressed.identifier
)

select
    user_id,
    identifier,
    is_tagged,
    bool_or(is_suppressed) over same_identifier,
    case
        when
            verdict = 'wanted'
            and bool_or(is_suppressed or (is_tagged and verdict = 'control')) over same_identifier
            then 'shared'
        else verdict
    end
from judged
window same_identifier as (partition by coalesce(identifier, user_id::text));

analyze batch_wanted;
