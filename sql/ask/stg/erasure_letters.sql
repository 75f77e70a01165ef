-- What the dead letters hold of what was refused.
-- From: stg.dead_letters
-- Grain: id
-- Rerun: harmless
-- Params: none
select
    id,
    raw,
    message_key,
    detail
from stg.dead_letters
where
    raw is not null
    or message_key is not null
    or detail <> '';
