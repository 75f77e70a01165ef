-- Law cdm.tag_rule_versions: each rule stands in the history of its tag as it is.
-- Over: all
-- Params: none
select
    rule.tag,
    rule.version,
    rule.category_name,
    rule.threshold,
    rule.active
from cdm.tag_rules as rule
where
    not exists (
        select 1
        from cdm.tag_rule_versions as known
        where
            known.tag = rule.tag
            and known.version = rule.version
            and known.category_name = rule.category_name
            and known.threshold = rule.threshold
            and known.window_days is not distinct from rule.window_days
            and known.exit_threshold is not distinct from rule.exit_threshold
            and known.status = rule.status
            and known.active = rule.active
            and known.comment = rule.comment
    );
