-- One row = how far a reader has come in a partition. Of two drains at once the one that is further ahead in the same log counts.
-- From: what the drain hands over, and the messages stored in this transaction
-- Grain: reader, topic, partition
-- Rerun: changes nothing but load_dt
-- Params: reader, topic, topic_id, partitions, next_offsets, last_offsets, last_hashes, end_offsets, load_dt, restart (also go back)
insert into stg.drain_progress as stored (
    reader,
    topic,
    "partition",
    topic_id,
    next_offset,
    last_offset,
    last_hash,
    end_offset,
    load_dt
)
select
    %(reader)s,
    %(topic)s,
    come."partition",
    %(topic_id)s,
    come.next_offset,
    come.last_offset,
    come.last_hash,
    come.end_offset,
    %(load_dt)s::timestamptz
from
    unnest(
        %(partitions)s::integer[],
        %(next_offsets)s::bigint[],
        %(last_offsets)s::bigint[],
        %(last_hashes)s::uuid[],
        %(end_offsets)s::bigint[]
    ) as come ("partition", next_offset, last_offset, last_hash, end_offset)
order by come."partition"
on conflict (reader, topic, "partition") do update set
    topic_id = excluded.topic_id,
    next_offset = excluded.next_offset,
    last_offset = excluded.last_offset,
    last_hash = excluded.last_hash,
    end_offset = excluded.end_offset,
    load_dt = excluded.load_dt
where
    %(restart)s
    or stored.topic_id <> excluded.topic_id
    or stored.next_offset <= excluded.next_offset;
