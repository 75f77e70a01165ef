-- Who was erased: by the ledger, and from when on their orders are ordinary again.
-- From: stg.erasures
-- Grain: subject_hmac
-- Rerun: harmless
-- Params: none
select
    subject_hmac,
    reopened_dt,
    requested_dt
from stg.erasures;
