-- Temporary: what the channel is to be told, in three parts: add, remove, and forced, which is removed whatever holds the rest: who is
-- suppressed, or is no guest any more. Of a full export add is everybody, and remove whoever else has ever been added.
-- From: batch_wanted, cdm.audience_members, cdm.audience_export_rows, cdm.suppressions, cdm.audiences, dds.h_user
-- Grain: identifier
-- Rerun: dropped at the end of the transaction
-- Params: audience, mode, planned_dt
create temporary table batch_plan (
    part text,
    identifier text,
    user_id uuid,
    is_change boolean
) on commit drop;

insert into batch_plan
with wanted as (
    select distinct on (identifier)
        identifier,
        user_id
    from batch_wanted
    where
        is_tagged
        and verdict = 'wanted'
    order by identifier asc, user_id asc
),

suppressed as (
    select suppressions.value as identifier
    from cdm.suppressions as suppressions
    inner join cdm.audiences as audience on suppressions.channel in (audience.channel, '*')
    where
        audience.audience = %(audience)s
        and suppressions.kind = 'identifier'
        and suppressions.since <= %(planned_dt)s::timestamptz
        and coalesce(suppressions.until > %(planned_dt)s::timestamptz, true)

    union

    select identifier
    from batch_wanted
    where is_suppressed
),

delivered as (
    select
        held.identifier,
        min(members.user_id::text)::uuid as user_id,
        bool_or(
            hub.h_user_pk is null
            or exists (
                select 1
                from suppressed
                where suppressed.identifier = held.identifier
            )
            or exists (
                select 1
                from batch_wanted as guest
                where
                    guest.user_id = members.user_id
                    and guest.is_suppressed
            )
        ) as is_forced
    from cdm.audience_members as members
    cross join unnest(members.identifiers) as held (identifier)
    left join dds.h_user as hub on members.user_id = hub.h_user_pk
    where members.audience = %(audience)s
    group by held.identifier
),

ever_added as (
    select
        identifier,
        min(user_id::text)::uuid as user_id
    from cdm.audience_export_rows
    where
        %(mode)s = 'full'
        and audience = %(audience)s
        and op = 'add'
    group by identifier
)

select
    'add',
    wanted.identifier,
    wanted.user_id,
    delivered.identifier is null
from wanted
left join delivered on wanted.identifier = delivered.identifier
where %(mode)s = 'full' or delivered.identifier is null

union all

select
    case when delivered.is_forced then 'forced' else 'remove' end,
    coalesce(delivered.identifier, ever_added.identifier),
    coalesce(delivered.user_id, ever_added.user_id),
    delivered.identifier is not null
from delivered
full join ever_added on delivered.identifier = ever_added.identifier
where
    not exists (
        select 1
        from wanted
        where wanted.identifier = coalesce(delivered.identifier, ever_added.identifier)
    );

analyze batch_plan;
