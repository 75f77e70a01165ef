-- The guests who are still to be erased, oldest request first.
-- From: stg.erasure_requests
-- Grain: guest_id
-- Rerun: harmless
-- Params: none
select
    guest_id,
    requested_dt
from stg.erasure_requests
order by id asc;
