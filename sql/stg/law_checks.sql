-- One row = a law, and how many rows broke it when it was last answered.
-- From: the answers of data_checks; a law without an answer keeps the last one, a law without a file goes
-- Grain: law
-- Rerun: writes the newer answers over the older
-- Params: laws, answered, broken_rows, checked_dt
delete from stg.law_checks
where law <> all(%(laws)s::text[]);

insert into stg.law_checks (law, broken_rows, checked_dt)
select
    answer.law,
    answer.broken_rows,
    %(checked_dt)s::timestamptz
from unnest(%(answered)s::text[], %(broken_rows)s::bigint[]) as answer (law, broken_rows)
on conflict (law) do update set
    broken_rows = excluded.broken_rows,
    checked_dt = excluded.checked_dt;
