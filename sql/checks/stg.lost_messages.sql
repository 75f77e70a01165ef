-- Law stg.lost_messages: Kafka removed nothing before it was read, or somebody has taken note of it (stg.acknowledge_loss).
-- Over: all
-- Params: none
select
    id,
    topic,
    "partition",
    from_offset,
    to_offset,
    noticed_dt
from stg.lost_messages
where acknowledged_dt is null;
