-- One row = a partition of the topic, and the first offset behind what the warehouse has read of it.
-- From: stg.drain_progress, stg.order_event_log, stg.dead_letters
-- Params: topic
select
    come."partition",
    max(come.next_offset) as next_offset
from (
    select
        "partition",
        next_offset
    from stg.drain_progress
    where topic = %(topic)s
    union all
    select
        "partition",
        "offset" + 1 as next_offset
    from stg.order_event_log
    where topic = %(topic)s
    union all
    select
        "partition",
        "offset" + 1 as next_offset
    from stg.dead_letters
    where topic = %(topic)s
) as come
where come."partition" is not null
group by come."partition";
