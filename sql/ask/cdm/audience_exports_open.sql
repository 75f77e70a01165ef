-- The exports of an audience that are not published: one that a run has begun and not finished, one that is held back.
-- From: cdm.audience_exports
-- Grain: seq
-- Rerun: reads only
-- Params: audience
select
    seq,
    mode,
    status,
    as_of,
    planned_dt,
    adds,
    removes,
    members_after,
    skipped,
    plan_hash
from cdm.audience_exports
where
    audience = %(audience)s
    and status <> 'published'
order by seq;
