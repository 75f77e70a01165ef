-- One row = a partition of the topic and the offset of the first message that is not in the warehouse.
-- From: stg.drain_progress
select
    "partition",
    next_offset
from stg.drain_progress
where reader = 'orders' and topic = 'order-service_orders';
