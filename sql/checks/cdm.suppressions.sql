-- Law cdm.suppressions: what was planned after a suppression holds (and the warehouse knows of it) adds nobody whom it names.
-- Over: all
-- Params: none
select
    lines.audience,
    lines.seq,
    lines.user_id,
    suppressions.id
from cdm.suppressions as suppressions
inner join cdm.audiences as audiences on suppressions.channel in (audiences.channel, '*')
inner join cdm.audience_exports as exports
    on audiences.audience = exports.audience
inner join cdm.audience_export_rows as lines
    on
        exports.audience = lines.audience
        and exports.seq = lines.seq
        and lines.op = 'add'
where
    exports.planned_dt >= greatest(suppressions.since, suppressions.made_dt)
    and coalesce(exports.planned_dt < suppressions.until, true)
    and (
        (suppressions.kind = 'identifier' and suppressions.value = lines.identifier)
        or (suppressions.kind = 'guest' and dds.hash_key(suppressions.value) = lines.user_id)
    );

-- Law cdm.suppressions.at_channel: whom a suppression names is at no channel that was exported to since.
-- Over: all
-- Params: none
select
    members.audience,
    members.user_id,
    suppressions.id
from cdm.suppressions as suppressions
inner join cdm.audiences as audiences on suppressions.channel in (audiences.channel, '*')
inner join cdm.audience_members as members on audiences.audience = members.audience
where
    (
        (suppressions.kind = 'identifier' and suppressions.value = any(members.identifiers))
        or (
            suppressions.kind = 'guest'
            and dds.hash_key(suppressions.value) = members.user_id
            and members.grp = 'treatment'
        )
    )
    and exists (
        select 1
        from cdm.audience_exports as exports
        where
            exports.audience = members.audience
            and exports.status = 'published'
            and exports.planned_dt >= greatest(suppressions.since, suppressions.made_dt)
            and coalesce(exports.planned_dt < suppressions.until, true)
    )
    and coalesce(suppressions.until > (select max(clock.as_of) from cdm.tag_clock as clock), true);
