-- Up to which dead letter a replay goes: those refused while it runs wait for the next.
-- From: stg.dead_letters
-- Grain: one row
-- Rerun: reads only
-- Params: none
select coalesce(max(id), 0) as last_id
from stg.dead_letters;
