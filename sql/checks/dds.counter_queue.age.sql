-- Law: no guest waits for the marts longer than they may.
-- Params: queued_before
select
    count(*) as waiting,
    min(load_dt) as waiting_since
from dds.counter_queue
where load_dt < %(queued_before)s::timestamptz
having count(*) > 0;
