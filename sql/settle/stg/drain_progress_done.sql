-- Removes the progress of a reader in partitions that it has done with, or that are no more.
-- From: stg.drain_progress
-- Rerun: harmless
-- Params: reader, topic, gone_partitions
delete from stg.drain_progress
where reader = %(reader)s and topic = %(topic)s and "partition" = any(%(gone_partitions)s::integer[]);
