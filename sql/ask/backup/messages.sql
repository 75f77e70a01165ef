-- One row = how many messages the warehouse holds.
-- Rerun: reads only
-- Params: none
select count(*) as messages
from stg.order_event_log;
