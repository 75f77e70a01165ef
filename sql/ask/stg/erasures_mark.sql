-- What tells one state of the ledger from another, without reading it whole into memory.
-- From: stg.erasures
-- Grain: one row
-- Rerun: harmless
-- Params: none
select
    count(*),
    count(reopened_dt),
    max(done_dt),
    max(reopened_dt)
from stg.erasures;
