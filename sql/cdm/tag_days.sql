-- One row = a tag and a UTC day on which guests got or lost it: the events of this transaction are added to their day.
-- From: batch_turns
-- Grain: tag, day
-- Rerun: changes nothing: what has been decided is in cdm.user_tags
-- Params: load_dt
insert into cdm.tag_days (tag, day, assigned, revoked)
select
    tag,
    (%(load_dt)s::timestamptz at time zone 'UTC')::date,
    count(*) filter (where event = 'assigned'),
    count(*) filter (where event = 'revoked')
from batch_turns
group by tag
on conflict (tag, day) do update set
    assigned = tag_days.assigned + excluded.assigned,
    revoked = tag_days.revoked + excluded.revoked;
