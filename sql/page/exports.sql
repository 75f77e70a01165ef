-- One row = an audience: who is in it, its last export (NULL: none yet), the one that is not let go (NULL: none), and of one that is
-- held by which rules guests came and went since the last.
-- From: cdm.v_exports, cdm.v_tag_events
-- Params: none
with exports as (
    select *
    from cdm.v_exports
),

audiences as (
    select distinct on (audience)
        audience,
        channel,
        include_tags,
        exclude_tags,
        identifier,
        control_percent::double precision as control_percent,
        requires_consent,
        min_rows,
        max_change_percent,
        audience_status
    from exports
    order by audience asc
),

published as (
    select distinct on (audience) *
    from exports
    where status = 'published'
    order by audience asc, seq desc
),

not_gone as (
    select distinct on (audience) *
    from exports
    where status <> 'published'
    order by audience asc, seq desc
)

select
    audiences.*,
    published.seq,
    published.published_dt,
    published.adds,
    published.removes,
    coalesce(published.members_after, 0) as members,
    coalesce(not_gone.skipped, published.skipped) as skipped,
    not_gone.status as next_status,
    not_gone.seq as next_seq,
    not_gone.as_of as next_as_of,
    not_gone.adds as next_adds,
    not_gone.removes as next_removes,
    not_gone.plan_hash as next_hash,
    (
        select jsonb_agg(why.* order by why.guests desc)
        from (
            select
                events.tag,
                events.event,
                events.reason,
                events.rule_version,
                count(*) as guests
            from cdm.v_tag_events as events
            where
                not_gone.status = 'held'
                and events.tag = any(audiences.include_tags || audiences.exclude_tags)
                and events.event_dt > published.published_dt
            group by
                events.tag,
                events.event,
                events.reason,
                events.rule_version
            order by count(*) desc
            limit 5
        ) as why
    ) as reasons
from audiences
left join published on audiences.audience = published.audience
left join not_gone on audiences.audience = not_gone.audience
order by audiences.audience;
