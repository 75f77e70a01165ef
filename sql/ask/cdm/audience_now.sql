-- How an audience stands before an export: as of when the tags stand (NULL: nothing was ever judged), how many identifiers are at the
-- channel, the number of its last export, and what of this one is skipped.
-- From: cdm.tag_clock, cdm.audience_members, cdm.audience_exports, batch_wanted
-- Grain: one row
-- Rerun: reads only
-- Params: audience
select
    (select max(as_of) from cdm.tag_clock) as as_of,
    (
        select count(distinct held.identifier)
        from cdm.audience_members as members
        cross join unnest(members.identifiers) as held (identifier)
        where members.audience = %(audience)s
    ) as members,
    (
        select coalesce(max(seq), 0)
        from cdm.audience_exports
        where
            audience = %(audience)s
            and status = 'published'
    ) as last_seq,
    (
        select coalesce(jsonb_object_agg(skipped.verdict, skipped.guests), '{}'::jsonb)
        from (
            select
                verdict,
                count(*) as guests
            from batch_wanted
            where
                is_tagged
                and verdict <> 'wanted'
            group by verdict
        ) as skipped
    ) as skipped;
