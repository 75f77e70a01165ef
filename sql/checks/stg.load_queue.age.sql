-- Law: nothing waits for the vault longer than it may.
-- Params: queued_before
select
    source,
    count(*) as waiting,
    min(load_dt) as waiting_since
from stg.load_queue
where load_dt < %(queued_before)s::timestamptz
group by source;
