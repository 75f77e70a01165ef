-- One row = a guest whose place in the audience changes with the parts of the plan that go. Who holds what is at the channel: those
-- wanted with it; while nobody is, who had it before.
-- From: batch_plan, batch_wanted, cdm.audience_members
-- Grain: audience, user_id
-- Rerun: what was planned before is taken back first: audience_exports_dropped.sql
-- Params: audience, parts
insert into cdm.audience_member_changes (audience, user_id, grp, identifiers)
with members as (
    select
        user_id,
        grp,
        identifiers
    from cdm.audience_members
    where audience = %(audience)s
),

delivered as (
    select
        members.user_id,
        held.identifier
    from members
    cross join unnest(members.identifiers) as held (identifier)
),

goes as (
    select
        identifier,
        part = 'add' as is_added
    from batch_plan
    where part = any(%(parts)s::text[])
),

at_channel as (
    (
        select identifier
        from delivered
        union
        select identifier
        from goes
        where is_added
    )
    except
    select identifier
    from goes
    where not is_added
),

wanted as (
    select
        user_id,
        identifier
    from batch_wanted
    where
        is_tagged
        and verdict = 'wanted'
),

held as (
    select
        wanted.user_id,
        wanted.identifier
    from wanted
    inner join at_channel on wanted.identifier = at_channel.identifier

    union

    select
        delivered.user_id,
        delivered.identifier
    from delivered
    inner join at_channel on delivered.identifier = at_channel.identifier
    where
        not exists (
            select 1
            from wanted
            where wanted.identifier = delivered.identifier
        )
),

-- Nobody enters the control group while nobody may come, or leaves it while nobody may go.
control as (
    select user_id
    from batch_wanted
    where
        is_tagged
        and verdict = 'control'
        and 'add' = any(%(parts)s::text[])

    union

    select members.user_id
    from members
    left join batch_wanted as guest
        on
            members.user_id = guest.user_id
            and guest.is_tagged
            and guest.verdict = 'control'
    where
        members.grp = 'control'
        and (guest.user_id is not null or 'remove' <> all(%(parts)s::text[]))
),

after_it as (
    select
        user_id,
        'treatment' as grp,
        array_agg(identifier order by identifier collate "C" asc)::varchar[] as identifiers
    from held
    group by user_id

    union all

    select
        user_id,
        'control' as grp,
        '{}' as identifiers
    from control
    where
        not exists (
            select 1
            from held
            where held.user_id = control.user_id
        )
)

select
    %(audience)s,
    coalesce(after_it.user_id, members.user_id),
    after_it.grp,
    coalesce(after_it.identifiers, '{}')
from members
full join after_it on members.user_id = after_it.user_id
where (members.grp, members.identifiers) is distinct from (after_it.grp, after_it.identifiers);
