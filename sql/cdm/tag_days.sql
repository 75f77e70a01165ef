-- One row = a tag and a UTC day on which guests got or lost it: the events of this transaction are added to their day. Runs before
-- cdm.user_tags, which still shows who carried what.
-- From: batch_tags, cdm.user_tags
-- Grain: tag, day
-- Rerun: changes nothing: what has been decided is in cdm.user_tags
-- Params: load_dt
insert into cdm.tag_days (tag, day, assigned, revoked)
select
    verdict.tag,
    (%(load_dt)s::timestamptz at time zone 'UTC')::date,
    count(*) filter (where verdict.rule_version is not null),
    count(*) filter (where verdict.rule_version is null)
from batch_tags as verdict
left join cdm.user_tags as carried
    on
        verdict.user_id = carried.user_id
        and verdict.tag = carried.tag
where (verdict.rule_version is not null) <> (carried.user_id is not null)
group by verdict.tag
on conflict (tag, day) do update set
    assigned = tag_days.assigned + excluded.assigned,
    revoked = tag_days.revoked + excluded.revoked;
