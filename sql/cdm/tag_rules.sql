-- One row = a rule of a tag. Sets one rule: the tag's active row, or else its newest, is changed; a tag without any gets one.
-- The triggers of the table number the version and queue the tag for the next run.
-- Grain: tag, among the active rows
-- Rerun: changes nothing, the version included
-- Params: tag, category, threshold, active
merge into cdm.tag_rules as stored
using (
    select
        %(tag)s::varchar as tag,
        %(category)s::varchar as category_name,
        %(threshold)s::integer as threshold,
        %(active)s::boolean as active,
        (
            select known.id
            from cdm.tag_rules as known
            where known.tag = %(tag)s::varchar
            order by known.active desc, known.id desc
            limit 1
        ) as id
) as wanted
on stored.id = wanted.id
when matched
    and (stored.category_name, stored.threshold, stored.active)
    is distinct from (wanted.category_name, wanted.threshold, wanted.active)
then update set
    category_name = wanted.category_name,
    threshold = wanted.threshold,
    active = wanted.active
when not matched and wanted.active then insert (tag, category_name, threshold, active)
values (wanted.tag, wanted.category_name, wanted.threshold, wanted.active);
