-- How a tag stands: the number of its newest version, which whoever changes it must have seen (0: it has none yet), and its rule in
-- force and its draft, if any.
-- From: cdm.tag_rule_versions, cdm.tag_rules
-- Grain: one row
-- Rerun: reads only
-- Params: tag
with known as (
    select
        tag,
        version
    from cdm.tag_rule_versions
    where tag = %(tag)s::varchar
)

select
    coalesce(max(known.version), 0) as newest_version,
    max(rule.version) filter (where rule.status = 'active') as active_version,
    max(rule.version) filter (where rule.status = 'draft') as draft_version
from known
left join cdm.tag_rules as rule
    on
        known.tag = rule.tag
        and known.version = rule.version;
