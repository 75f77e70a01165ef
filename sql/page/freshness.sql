-- One row = how fresh the marts are, what waits, and up to when everything that was sent is judged (NULL = nothing yet): the clock of
-- the tags, once a drain has come to an end. A drain alone judges nobody, so it does not move that. And how many exports are held.
-- The clock is read by itself: on a distributed warehouse a view that is joined to what lies on workers is read as who asks.
-- From: cdm.v_freshness, cdm.v_clock, cdm.v_exports
-- Params: none
with clock as materialized (
    select as_of
    from cdm.v_clock
)

select
    fresh.last_order_dt,
    fresh.last_tag_event_dt,
    fresh.messages_waiting,
    fresh.messages_waiting_since,
    fresh.guests_waiting,
    fresh.guests_waiting_since,
    fresh.rules_waiting,
    fresh.dead_letters,
    fresh.kafka_lag,
    clock.as_of,
    extract(epoch from now() - clock.as_of)::double precision as age_s,
    (
        select count(*)
        from cdm.v_exports as exports
        where exports.status = 'held'
    ) as exports_held
from cdm.v_freshness as fresh
left join clock on fresh.checked_dt is not null;
