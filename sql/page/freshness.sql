-- One row = how fresh the marts are, what waits, and up to when everything that was sent is judged (NULL = nothing yet).
-- From: cdm.v_freshness
-- Params: none
select
    last_order_dt,
    last_tag_event_dt,
    messages_waiting,
    messages_waiting_since,
    guests_waiting,
    guests_waiting_since,
    rules_waiting,
    dead_letters,
    kafka_lag,
    as_of,
    extract(epoch from now() - as_of)::double precision as age_s
from (
    -- What waits is stored and not yet judged; lag_s tells since when.
    select
        *,
        case when checked_dt is not null then least(judged_dt, now() - make_interval(secs => lag_s)) end as as_of
    from cdm.v_freshness
) as freshness;
