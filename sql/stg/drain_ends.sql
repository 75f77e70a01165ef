-- One row = a topic, and when the run of every minute last had all of it.
-- From: what the drain hands over
-- Grain: topic
-- Rerun: writes the moment again. The last run is right, also where the clock of the one before was ahead
-- Params: topic, as_of, load_dt
-- Lost with the server, it is written again a minute later.
set local synchronous_commit = off;
insert into stg.drain_ends (topic, as_of, checked_dt)
values (%(topic)s, %(as_of)s::timestamptz, %(load_dt)s::timestamptz)
on conflict (topic) do update set
    as_of = excluded.as_of,
    checked_dt = excluded.checked_dt;
