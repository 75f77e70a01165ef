-- Law: each guest who waits for the marts stands in the hub.
-- Params: none
select
    queue.id,
    queue.h_user_pk,
    queue.load_dt
from dds.counter_queue as queue
left join dds.h_user as hub on queue.h_user_pk = hub.h_user_pk
where hub.h_user_pk is null;
