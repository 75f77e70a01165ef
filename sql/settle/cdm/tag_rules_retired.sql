-- The rule of a tag ends: the one in force, or, where none is, the draft. The next run takes the tag from everybody.
-- Rerun: changes nothing
-- Params: tag
update cdm.tag_rules as rule
set status = 'retired'
where
    rule.tag = %(tag)s::varchar
    and (
        rule.active
        or (
            rule.status = 'draft'
            and not exists (
                select 1
                from cdm.tag_rules as other
                where
                    other.tag = rule.tag
                    and other.active
            )
        )
    );
