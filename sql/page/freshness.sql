-- One row = how fresh the marts are and what waits.
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
    lag_s,
    checked_dt,
    judged_dt,
    kafka_lag
from cdm.v_freshness;
