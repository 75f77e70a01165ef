-- One row = a guest loses a tag. The evidence against: the rule now in force, or, where there is none, the one that gave the tag. Runs
-- before cdm.user_tags, which still shows who carried what.
-- From: batch_tags, cdm.user_tags, cdm.tag_rules, dds.h_category, cdm.user_category_counters
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
    'revoked',
    coalesce(rule.category_name, carried.category_name),
    coalesce(counters.order_cnt, 0),
    coalesce(rule.threshold, carried.threshold),
    coalesce(rule.version, carried.rule_version),
    %(load_dt)s::timestamptz
from batch_tags as verdict
inner join cdm.user_tags as carried
    on
        verdict.user_id = carried.user_id
        and verdict.tag = carried.tag
left join cdm.tag_rules as rule
    on
        verdict.tag = rule.tag
        and rule.active
left join dds.h_category as category on coalesce(rule.category_name, carried.category_name) = category.category_name
left join cdm.user_category_counters as counters
    on
        verdict.user_id = counters.user_id
        and category.h_category_pk = counters.category_id
where verdict.rule_version is null
order by verdict.tag asc, verdict.user_id asc;
