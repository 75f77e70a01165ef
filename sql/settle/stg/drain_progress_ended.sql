-- Notes of partitions that a reader has read to their end when that was.
-- From: what the drain hands over
-- Grain: reader, topic, partition
-- Rerun: writes the moment again
-- Params: reader, topic, partitions, as_of
-- Lost with the server, it is written again a minute later.
set local synchronous_commit = off;
update stg.drain_progress
set as_of = %(as_of)s::timestamptz
where reader = %(reader)s and topic = %(topic)s and "partition" = any(%(partitions)s::integer[]);
