-- One row = a version of a tag's rule, the newest first: what it says, what was foreseen of it (NULL: it was not rehearsed within the
-- day before), and what came of it. Of a draft nothing comes, and nothing of a version that waits.
-- From: cdm.v_rules, cdm.v_rehearsal, cdm.v_tag_events
-- Params: tag
with versions as (
    select *
    from cdm.v_rules
    where tag = %(tag)s
),

told as (
    select
        *,
        coalesce(lead(changed_dt) over (order by version asc), 'infinity') as until_dt
    from versions
    where status <> 'draft'
),

changes as (
    select
        event,
        event_dt
    from cdm.v_tag_events
    where
        tag = %(tag)s
        and reason in ('rule', 'retired')
),

came as (
    select
        told.version,
        count(changes.event) filter (where changes.event = 'assigned') as gained,
        count(changes.event) filter (where changes.event = 'revoked') as lost
    from told
    left join changes
        on
            told.changed_dt <= changes.event_dt
            and told.until_dt > changes.event_dt
    where not told.is_waiting
    group by told.version
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
    came.gained,
    came.lost
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
