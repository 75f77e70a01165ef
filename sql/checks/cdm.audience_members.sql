-- Law cdm.audience_members: at a channel is what all its files add up to, and that is what the members hold.
-- Over: all, once a round
-- Params: none
select
    coalesce(told.audience, held.audience) as audience,
    coalesce(told.user_id, held.user_id) as user_id,
    coalesce(told.seq, held.since_seq) as seq,
    told.op
from (
    select distinct on (lines.audience, lines.identifier)
        lines.audience,
        lines.identifier,
        lines.user_id,
        lines.seq,
        lines.op
    from cdm.audience_export_rows as lines
    inner join cdm.audience_exports as exports
        on
            lines.audience = exports.audience
            and lines.seq = exports.seq
    where exports.status = 'published'
    order by lines.audience asc, lines.identifier asc, lines.seq desc, lines.op asc
) as told
full join (
    select distinct on (members.audience, delivered.identifier)
        members.audience,
        delivered.identifier,
        members.user_id,
        members.since_seq
    from cdm.audience_members as members
    cross join unnest(members.identifiers) as delivered (identifier)
    order by members.audience asc, delivered.identifier asc, members.user_id asc
) as held
    on
        told.audience = held.audience
        and told.identifier = held.identifier
where (held.identifier is not null) is distinct from (told.op is not distinct from 'add');

-- Law cdm.audience_members.control: whom the draw holds back is in control, and nobody else.
-- Over: all, once a round
-- Params: none
select
    members.audience,
    members.user_id,
    members.grp
from cdm.audience_members as members
inner join cdm.audiences as audiences on members.audience = audiences.audience
inner join dds.h_user as hub on members.user_id = hub.h_user_pk
where (members.grp = 'control') <> (cdm.draw(audiences.salt, hub.user_id) < audiences.control_percent * 100);
