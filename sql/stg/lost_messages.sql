-- One row = a stretch of messages that Kafka removed before they were read.
-- From: what the drain has noticed
-- Grain: topic, topic_id, partition, from_offset, to_offset
-- Rerun: what is known adds nothing
-- Params: topic, lost_topic_ids, lost_partitions, lost_from, lost_to, load_dt
insert into stg.lost_messages (
    topic,
    topic_id,
    "partition",
    from_offset,
    to_offset,
    noticed_dt
)
select
    %(topic)s,
    lost.topic_id,
    lost."partition",
    lost.from_offset,
    lost.to_offset,
    %(load_dt)s::timestamptz
from
    unnest(
        %(lost_topic_ids)s::text[],
        %(lost_partitions)s::integer[],
        %(lost_from)s::bigint[],
        %(lost_to)s::bigint[]
    ) as lost (topic_id, "partition", from_offset, to_offset)
on conflict (topic, topic_id, "partition", from_offset, to_offset) do nothing;
