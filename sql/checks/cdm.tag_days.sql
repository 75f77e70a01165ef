-- Law cdm.tag_days: cdm.tag_days is what the tags' events add up to, by UTC day.
-- Over: all, once a round
-- Params: none
select
    coalesce(stored.tag, recounted.tag) as tag,
    coalesce(stored.day, recounted.day) as day,
    stored.assigned,
    recounted.assigned as recounted_assigned,
    stored.revoked,
    recounted.revoked as recounted_revoked
from cdm.tag_days as stored
full join (
    select
        tag,
        (event_dt at time zone 'UTC')::date as day,
        count(*) filter (where event = 'assigned') as assigned,
        count(*) filter (where event = 'revoked') as revoked
    from cdm.tag_events
    group by tag, day
) as recounted
    on
        stored.tag = recounted.tag
        and stored.day = recounted.day
where (stored.assigned, stored.revoked) is distinct from (recounted.assigned, recounted.revoked);
