-- The ledger with its acts, to be copied.
-- From: stg.erasures
-- Grain: subject_hmac
-- Rerun: harmless
-- Params: done_since (NULL: all)
select
    encode(subject_hmac, 'hex') as subject_hmac,
    requested_dt,
    done_dt,
    reopened_dt,
    reason,
    counts
from stg.erasures
where %(done_since)s::timestamptz is null or done_dt >= %(done_since)s::timestamptz
order by id;
