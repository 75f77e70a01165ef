-- An export that is out has removed an erased guest from the channel: nothing tells of the identifier any more. Runs before the members
-- change: one without a hub is to leave, and was removed by this export.
-- From: cdm.audience_member_changes, cdm.audience_members, dds.h_user
-- Rerun: changes nothing
-- Params: audience, seq
delete from cdm.audience_export_rows as lines
using (
    select held.identifier
    from cdm.audience_member_changes as changes
    inner join cdm.audience_members as members
        on
            changes.audience = members.audience
            and changes.user_id = members.user_id
    cross join unnest(members.identifiers) as held (identifier)
    left join dds.h_user as hub on members.user_id = hub.h_user_pk
    inner join cdm.audience_export_rows as removed
        on
            members.audience = removed.audience
            and removed.seq = %(seq)s
            and removed.op = 'remove'
            and held.identifier = removed.identifier
    where
        changes.audience = %(audience)s
        and changes.grp is null
        and hub.h_user_pk is null
) as gone
where
    lines.audience = %(audience)s
    and lines.identifier = gone.identifier;
