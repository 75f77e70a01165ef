-- Several workers may drain a topic: each notes for its partitions when it had all that they held, and stg.drain_ends has the earliest.
alter table stg.drain_progress add column as_of timestamptz;
comment on column stg.drain_progress.as_of is
'Just before the run that last read the partition to its end asked Kafka for it; NULL = none has, or the reader is no run of every minute';
