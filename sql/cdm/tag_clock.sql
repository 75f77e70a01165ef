-- One row: the moment as of which the tags stand.
-- From: batch_clock
-- Grain: one row
-- Rerun: changes nothing
-- Params: none
insert into cdm.tag_clock as stored (as_of)
select as_of
from batch_clock
on conflict (is_only) do update set as_of = excluded.as_of
where stored.as_of < excluded.as_of;
