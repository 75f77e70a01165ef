-- One row = a tag that has ever had a rule, and how it stands: its newest version, which whoever changes it must have seen, and who
-- made it when; the category of its rule in force (NULL: none is), and whether it has a draft.
-- From: cdm.tag_rule_versions, cdm.tag_rules
-- Grain: tag
-- Rerun: reads only
-- Params: none
select
    newest.tag,
    newest.version as newest_version,
    newest.changed_by,
    newest.changed_dt,
    in_force.category_name as active_category,
    draft.id is not null as has_draft
from (
    select distinct on (tag)
        tag,
        version,
        changed_by,
        changed_dt
    from cdm.tag_rule_versions
    order by tag asc, version desc
) as newest
left join cdm.tag_rules as in_force
    on
        newest.tag = in_force.tag
        and in_force.active
left join cdm.tag_rules as draft
    on
        newest.tag = draft.tag
        and draft.status = 'draft'
order by newest.tag asc;
