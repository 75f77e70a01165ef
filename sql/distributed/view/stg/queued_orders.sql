-- One row = an order of which messages wait for the vault: by what the queue holds, for a message lies where its order does.
-- From: stg.load_queue
-- Rerun: harmless
-- Params: none
create or replace view stg.queued_orders as
select distinct object_id
from stg.load_queue
where source = 'order_event_log';
