-- One row = a topic, and when the run of every minute last had all of it: the earliest moment of its partitions, which several
-- workers may read. As long as one of them comes to no end, the moment stands still.
-- From: stg.drain_progress
-- Grain: topic
-- Rerun: writes the moment again. The last run is right, also where the clock of the one before was ahead
-- Params: reader, topic, load_dt, topic_partitions (how many it has)
insert into stg.drain_ends as stored (topic, as_of, checked_dt)
select
    topic,
    min(as_of),
    %(load_dt)s::timestamptz
from stg.drain_progress
where reader = %(reader)s and topic = %(topic)s
group by topic
having count(as_of) >= %(topic_partitions)s
on conflict (topic) do update set
    as_of = excluded.as_of,
    checked_dt = excluded.checked_dt
where stored.as_of <> excluded.as_of;
