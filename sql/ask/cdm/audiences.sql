-- One row = an audience that is exported: active, or retired with somebody at the channel still.
-- From: cdm.audiences, cdm.audience_members
-- Grain: audience
-- Rerun: reads only
-- Params: audience (NULL: all)
select
    audience,
    channel,
    identifier,
    format,
    min_rows,
    max_change_percent
from cdm.audiences as audiences
where
    audience = coalesce(%(audience)s::varchar, audience)
    and (
        status = 'active'
        or exists (
            select 1
            from cdm.audience_members as members
            where members.audience = audiences.audience
        )
    )
order by audience;
