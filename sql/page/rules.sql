-- One row = a tag's rule (the one in force, else the newest that is retired) or its draft, with its audience and who is one order
-- short of it (of a rule without window and exit threshold). newest_*: the newest version of the tag, which whoever changes it must
-- have seen. rehearsed_*: of a draft, the last rehearsal of what it says.
-- From: cdm.v_rules, cdm.v_audience_daily, cdm.v_tag_funnel, cdm.v_rehearsal
-- Params: none
with newest as (
    select distinct on (tag)
        tag,
        version,
        changed_by,
        changed_dt
    from cdm.v_rules
    order by tag asc, version desc
),

shown as (
    select distinct on (tag, status = 'draft') *
    from cdm.v_rules
    where is_current
    order by tag asc, status = 'draft' asc, status = 'active' desc, version desc
),

audience as (
    select
        tag,
        max(guests) filter (where day = (now() at time zone 'UTC')::date) as guests,
        sum(assigned)::bigint as gained,
        sum(revoked)::bigint as lost
    from cdm.v_audience_daily
    where day > (now() at time zone 'UTC')::date - 7
    group by tag
)

select
    shown.tag,
    shown.status,
    shown.version,
    shown.category_name,
    shown.threshold,
    shown.window_days,
    shown.exit_threshold,
    shown.comment,
    shown.changed_by,
    shown.changed_dt,
    shown.is_waiting as waiting,
    newest.version as newest_version,
    newest.changed_by as newest_by,
    newest.changed_dt as newest_dt,
    coalesce(audience.guests, 0) as guests,
    coalesce(audience.gained, 0) as gained,
    coalesce(audience.lost, 0) as lost,
    case when num_nonnulls(shown.window_days, shown.exit_threshold) = 0 then coalesce(funnel.guests, 0) end as one_short,
    rehearsal.rehearsal_id,
    rehearsal.guests as rehearsed_guests,
    rehearsal.would_enter as rehearsed_enter,
    rehearsal.would_leave as rehearsed_leave,
    rehearsal.made_dt as rehearsed_dt
from shown
inner join newest on shown.tag = newest.tag
left join audience on shown.tag = audience.tag
left join cdm.v_tag_funnel as funnel
    on
        shown.tag = funnel.tag
        and funnel.orders_missing = 1
left join lateral (
    select told.*
    from cdm.v_rehearsal as told
    where
        shown.status = 'draft'
        and told.tag = shown.tag
        and told.category_name = shown.category_name
        and told.threshold = shown.threshold
        and told.window_days is not distinct from shown.window_days
        and told.exit_threshold is not distinct from shown.exit_threshold
    order by told.rehearsal_id desc
    limit 1
) as rehearsal on true
order by
    shown.status = 'retired' asc,
    coalesce(audience.guests, 0) desc,
    shown.tag asc,
    shown.status = 'draft' asc;
