-- Law cdm.tag_clock: nothing was judged as of a moment beyond the clock.
-- Over: guests
-- Params: none
select
    events.id,
    events.user_id,
    events.as_of,
    clock.as_of as clock_as_of
from batch_checked_guests as checked
inner join cdm.tag_events as events on checked.h_user_pk = events.user_id
left join cdm.tag_clock as clock on true
where
    events.as_of is not null
    and coalesce(events.as_of > clock.as_of, true);
