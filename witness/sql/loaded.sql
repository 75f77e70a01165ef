-- One row = a partition of the topic and how far into it the warehouse has stored messages.
-- From: stg.order_event_log
-- Params: topic
select
    "partition",
    max("offset") as last_offset
from stg.order_event_log
where topic = %(topic)s
group by "partition";
