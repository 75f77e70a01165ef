-- Law: of a guest and a tag, assigned and revoked take turns, and begin with assigned.
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
