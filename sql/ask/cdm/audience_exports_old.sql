-- The exports whose files have been there for long enough.
-- From: cdm.audience_exports
-- Grain: audience, seq
-- Rerun: reads only
-- Params: published_before
select
    audience,
    seq
from cdm.audience_exports
where
    published_dt < %(published_before)s::timestamptz
    and files_deleted_dt is null
order by
    audience,
    seq;
