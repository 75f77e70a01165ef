-- One row = a guest at the channel, or in its control group: as the export that is published now leaves them.
-- From: cdm.audience_member_changes
-- Grain: audience, user_id
-- Rerun: changes nothing
-- Params: audience, since_dt, seq (NULL: nothing goes, only groups change)
merge into cdm.audience_members as stored
using (
    select *  -- noqa: AM04
    from cdm.audience_member_changes
    where audience = %(audience)s
) as changed
on stored.audience = changed.audience and stored.user_id = changed.user_id
when matched and changed.grp is null
then delete
when matched
then update set
    identifiers = changed.identifiers,
    grp = changed.grp,
    since_seq = case
        when stored.grp = changed.grp then stored.since_seq
        when changed.grp = 'treatment' then %(seq)s::integer
    end,
    since_dt = case when stored.grp = changed.grp then stored.since_dt else %(since_dt)s::timestamptz end
when not matched and changed.grp is not null
then insert (audience, user_id, grp, identifiers, since_seq, since_dt)
values (
    changed.audience,
    changed.user_id,
    changed.grp,
    changed.identifiers,
    case when changed.grp = 'treatment' then %(seq)s::integer end,
    %(since_dt)s::timestamptz
);
