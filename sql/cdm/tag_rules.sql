-- One row = a rule of a tag. Sets one rule, as draft, active or retired. A draft: the tag's draft is changed, or made. Else the
-- tag's active row, or the newest that is no draft, is changed; a tag without any gets one, unless it is to be retired.
-- The triggers of the table refuse what must not be, number the version and queue the tag for the next run.
-- Grain: tag, among the active rows and among the drafts
-- Rerun: changes nothing, the version included
-- Params: tag, category, threshold, window_days, exit_threshold, status, comment
merge into cdm.tag_rules as stored
using (
    select
        %(tag)s::varchar as tag,
        %(category)s::varchar as category_name,
        %(threshold)s::integer as threshold,
        %(window_days)s::integer as window_days,
        %(exit_threshold)s::integer as exit_threshold,
        %(status)s::varchar as status,
        %(comment)s::varchar as comment,
        (
            select known.id
            from cdm.tag_rules as known
            where
                known.tag = %(tag)s::varchar
                and (known.status = 'draft') = (%(status)s::varchar = 'draft')
            order by known.active desc, known.id desc
            limit 1
        ) as id
) as wanted
on stored.id = wanted.id
when matched
    and (
        stored.category_name, stored.threshold, stored.window_days, stored.exit_threshold, stored.status, stored.comment
    )
    is distinct from (
        wanted.category_name, wanted.threshold, wanted.window_days, wanted.exit_threshold, wanted.status, wanted.comment
    )
then update set
    category_name = wanted.category_name,
    threshold = wanted.threshold,
    window_days = wanted.window_days,
    exit_threshold = wanted.exit_threshold,
    status = wanted.status,
    comment = wanted.comment
when not matched and wanted.status <> 'retired'
then insert (tag, category_name, threshold, window_days, exit_threshold, status, comment)
values (
    wanted.tag,
    wanted.category_name,
    wanted.threshold,
    wanted.window_days,
    wanted.exit_threshold,
    wanted.status,
    wanted.comment
);
