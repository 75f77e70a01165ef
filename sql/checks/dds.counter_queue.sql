-- Law dds.counter_queue: each guest who waits for the marts stands in the hub.
-- Over: all
-- Params: none
select
    queue.id,
    queue.h_user_pk,
    queue.load_dt
from dds.counter_queue as queue
left join dds.h_user as hub on queue.h_user_pk = hub.h_user_pk
where hub.h_user_pk is null;

-- Law dds.counter_queue.age: no guest waits for the marts longer than they may.
-- Over: all
-- Params: queued_before
select
    count(*) as waiting,
    min(load_dt) as waiting_since
from dds.counter_queue
where load_dt < %(queued_before)s::timestamptz
having count(*) > 0;
