-- The draft of a tag comes into force: the rule in force takes over what it says, as a new version, and the draft is gone; where
-- none is in force, the draft becomes it. No row changes where there is no draft.
-- Rerun: changes nothing: the draft is gone
-- Params: tag
update cdm.tag_rules as rule
set
    category_name = draft.category_name,
    threshold = draft.threshold,
    window_days = draft.window_days,
    exit_threshold = draft.exit_threshold,
    comment = draft.comment
from cdm.tag_rules as draft
where
    rule.tag = %(tag)s::varchar
    and rule.active
    and draft.tag = rule.tag
    and draft.status = 'draft';

delete from cdm.tag_rules as draft
using cdm.tag_rules as rule
where
    draft.tag = %(tag)s::varchar
    and draft.status = 'draft'
    and rule.tag = draft.tag
    and rule.active;

update cdm.tag_rules
set status = 'active'
where
    tag = %(tag)s::varchar
    and status = 'draft';
