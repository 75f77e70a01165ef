-- Law stg.drain_ends.age: a run has had everything that Kafka holds within the time that is promised.
-- Over: all
-- Params: checked_before
select
    max(as_of) as judged_dt,
    max(checked_dt) as checked_dt
from stg.drain_ends
having max(checked_dt) < %(checked_before)s::timestamptz;
