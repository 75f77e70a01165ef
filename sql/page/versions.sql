-- One row = a version of a tag's rule, the newest first: what it says, what was foreseen of it (NULL: it was not rehearsed within the
-- day before), and what came of it: by the version that an event names, as the clock of a run and that of a change need not agree. Who
-- loses a tag because its rule was retired is told by the version that gave it, so that counts for the retirement after it.
-- Of a draft nothing comes, and nothing of a version that waits.
-- From: cdm.v_rules, cdm.v_rehearsal, cdm.v_tag_events
-- Params: tag
with versions as (
    select *
    from cdm.v_rules
    where tag = %(tag)s
),

changes as (
    select
        reason,
        rule_version,
        event_dt,
        count(*) filter (where event = 'assigned') as gained,
        count(*) filter (where event = 'revoked') as lost
    from cdm.v_tag_events
    where
        tag = %(tag)s
        and reason in ('rule', 'retired')
    group by
        reason,
        rule_version,
        event_dt
),

came as (
    select
        coalesce(ended.version, changes.rule_version) as version,
        sum(changes.gained)::bigint as gained,
        sum(changes.lost)::bigint as lost
    from changes
    left join lateral (
        -- A retirement that was taken back before a run took nobody's tag: of several, the last that the run can have seen.
        select retired.version
        from (
            select
                version,
                coalesce(changed_dt <= changes.event_dt, true) as is_seen
            from versions
            where
                status = 'retired'
                and version > changes.rule_version
        ) as retired
        order by
            retired.is_seen desc,
            case when retired.is_seen then -retired.version else retired.version end
        limit 1
    ) as ended on changes.reason = 'retired'
    group by coalesce(ended.version, changes.rule_version)
)

select
    rules.version,
    rules.status,
    rules.category_name,
    rules.threshold,
    rules.window_days,
    rules.exit_threshold,
    rules.comment,
    rules.changed_by,
    rules.changed_dt,
    foreseen.would_enter as foreseen_enter,
    foreseen.would_leave as foreseen_leave,
    case when rules.status <> 'draft' and not rules.is_waiting then coalesce(came.gained, 0) end as gained,
    case when rules.status <> 'draft' and not rules.is_waiting then coalesce(came.lost, 0) end as lost
from versions as rules
left join came on rules.version = came.version
left join lateral (
    select
        rehearsal.would_enter,
        rehearsal.would_leave
    from cdm.v_rehearsal as rehearsal
    where
        rules.status = 'active'
        and rehearsal.tag = rules.tag
        and rehearsal.category_name = rules.category_name
        and rehearsal.threshold = rules.threshold
        and rehearsal.window_days is not distinct from rules.window_days
        and rehearsal.exit_threshold is not distinct from rules.exit_threshold
        and rehearsal.made_dt between rules.changed_dt - interval '1 day' and rules.changed_dt
    order by rehearsal.rehearsal_id desc
    limit 1
) as foreseen on true
order by rules.version desc
limit 200;
