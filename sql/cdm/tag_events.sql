-- One row = a guest gets a tag, with the evidence; those who lose one: settle/cdm/tag_events_revoked.sql. Runs before
-- cdm.user_tags, which still shows who carried what.
-- From: batch_tags, cdm.user_tags
-- Grain: user_id, tag, event
-- Rerun: adds nothing: what has been decided is in cdm.user_tags
-- Params: load_dt
insert into cdm.tag_events (
    user_id,
    tag,
    event,
    category_name,
    order_cnt,
    threshold,
    rule_version,
    event_dt
)
select
    verdict.user_id,
    verdict.tag,
    'assigned',
    verdict.category_name,
    verdict.order_cnt,
    verdict.threshold,
    verdict.rule_version,
    %(load_dt)s::timestamptz
from batch_tags as verdict
left join cdm.user_tags as carried
    on
        verdict.user_id = carried.user_id
        and verdict.tag = carried.tag
where
    verdict.rule_version is not null
    and carried.user_id is null
order by verdict.tag asc, verdict.user_id asc;
