-- Law cdm.tag_events: of a guest and a tag, assigned and revoked take turns, and begin with assigned.
-- Params: none
select
    told.id,
    told.user_id,
    told.tag,
    told.event,
    told.event_before
from (
    select
        id,
        user_id,
        tag,
        event,
        lag(event, 1, 'revoked') over (partition by user_id, tag order by id asc) as event_before
    from cdm.tag_events
) as told
where told.event = told.event_before;

-- Law cdm.tag_events.fold: the events add up to the tags that guests carry now, and a tag is carried since its last assignment.
-- Params: none
with told as (
    select distinct on (user_id, tag)
        user_id,
        tag,
        event,
        event_dt
    from cdm.tag_events
    order by user_id asc, tag asc, id desc
)

select
    coalesce(told.user_id, carried.user_id) as user_id,
    coalesce(told.tag, carried.tag) as tag,
    told.event as last_event,
    told.event_dt as last_event_dt,
    carried.assigned_dt
from told
full join cdm.user_tags as carried
    on
        told.user_id = carried.user_id
        and told.tag = carried.tag
where
    (coalesce(told.event, 'revoked') = 'assigned') <> (carried.user_id is not null)
    or carried.assigned_dt <> told.event_dt;
