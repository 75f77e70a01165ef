-- A rule is again what a version of it was: the content of that version comes into force as a new version. The tag's active row, or
-- the newest that is no draft, takes it over; a tag without any gets one. No row changes where the version is not known, or where
-- the rule in force says the same.
-- Rerun: changes nothing
-- Params: tag, version
merge into cdm.tag_rules as stored
using (
    select
        version.tag,
        version.category_name,
        version.threshold,
        version.window_days,
        version.exit_threshold,
        version.comment,
        (
            select known.id
            from cdm.tag_rules as known
            where
                known.tag = version.tag
                and known.status <> 'draft'
            order by known.active desc, known.id desc
            limit 1
        ) as id
    from cdm.tag_rule_versions as version
    where
        version.tag = %(tag)s::varchar
        and version.version = %(version)s::integer
) as wanted
on stored.id = wanted.id
when matched then update set
    category_name = wanted.category_name,
    threshold = wanted.threshold,
    window_days = wanted.window_days,
    exit_threshold = wanted.exit_threshold,
    status = 'active',
    comment = wanted.comment
when not matched then insert (tag, category_name, threshold, window_days, exit_threshold, comment)
values (
    wanted.tag,
    wanted.category_name,
    wanted.threshold,
    wanted.window_days,
    wanted.exit_threshold,
    wanted.comment
);
