-- Law cdm.tag_events: of a guest and a tag, assigned and revoked take turns, and begin with assigned; a run tells one of them at most.
-- Over: guests
-- Params: none
select
    told.id,
    told.user_id,
    told.tag,
    told.event,
    told.event_before,
    told.event_dt
from (
    select
        events.id,
        events.user_id,
        events.tag,
        events.event,
        events.event_dt,
        lag(events.event, 1, 'revoked') over timeline as event_before,
        lag(events.event_dt) over timeline as event_dt_before
    from batch_checked_guests as checked
    inner join cdm.tag_events as events on checked.h_user_pk = events.user_id
    window timeline as (partition by events.user_id, events.tag order by events.id asc)
) as told
where
    told.event = told.event_before
    or told.event_dt = told.event_dt_before;

-- Law cdm.tag_events.fold: the events add up to the tags that guests carry now, and a tag is carried since its last assignment.
-- Over: guests
-- Params: none
with told as (
    select distinct on (events.user_id, events.tag)
        events.user_id,
        events.tag,
        events.event,
        events.event_dt
    from batch_checked_guests as checked
    inner join cdm.tag_events as events on checked.h_user_pk = events.user_id
    order by events.user_id asc, events.tag asc, events.id desc
),

carried as (
    select
        tags.user_id,
        tags.tag,
        tags.assigned_dt
    from batch_checked_guests as checked
    inner join cdm.user_tags as tags on checked.h_user_pk = tags.user_id
)

select
    coalesce(told.user_id, carried.user_id) as user_id,
    coalesce(told.tag, carried.tag) as tag,
    told.event as last_event,
    told.event_dt as last_event_dt,
    carried.assigned_dt
from told
full join carried
    on
        told.user_id = carried.user_id
        and told.tag = carried.tag
where
    (coalesce(told.event, 'revoked') = 'assigned') <> (carried.user_id is not null)
    or carried.assigned_dt <> told.event_dt;

-- Law cdm.tag_events.compensates: what an event compensates is the assignment that it ends.
-- Over: guests
-- Params: none
select
    events.id,
    events.user_id,
    events.tag,
    events.compensates
from batch_checked_guests as checked
inner join cdm.tag_events as events on checked.h_user_pk = events.user_id
left join cdm.tag_events as undone on events.compensates = undone.id
where
    events.compensates is not null
    and (undone.user_id, undone.tag, undone.event) is distinct from (events.user_id, events.tag, 'assigned');
