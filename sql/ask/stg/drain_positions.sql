-- How far a reader has come. One row = a partition.
-- From: stg.drain_progress
-- Rerun: reads only
-- Params: reader, topic
select
    "partition",
    topic_id,
    next_offset,
    last_offset,
    replace(last_hash::text, '-', '') as last_hash,
    end_offset
from stg.drain_progress
where reader = %(reader)s and topic = %(topic)s;
