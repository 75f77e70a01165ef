-- Guests whose moment has come are queued, to be judged as of this run's. Their baskets have not changed: an order of theirs stops
-- counting, or a version of one that was dated ahead begins.
-- From: cdm.guest_due, batch_clock
-- Rerun: queues nobody again, once they are judged
-- Params: load_dt
insert into dds.counter_queue (h_user_pk, load_dt)
select
    due.user_id,
    %(load_dt)s::timestamptz
from batch_clock as clock
inner join cdm.guest_due as due on clock.as_of >= due.due_dt;
