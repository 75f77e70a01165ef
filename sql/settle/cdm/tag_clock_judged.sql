-- The clock tells when guests were judged anew last: what a rehearsal has found holds as long as that stays.
-- From: batch_claims, batch_clock
-- Rerun: changes nothing: nobody waits
-- Params: load_dt
insert into cdm.tag_clock as stored (as_of, load_dt)
select
    clock.as_of,
    %(load_dt)s::timestamptz
from batch_clock as clock
where exists (select 1 from batch_claims)
on conflict (is_only) do update set load_dt = excluded.load_dt;
