-- One row = a status and the number of orders that have it now.
-- From: stg.order_events
select
    payload ->> 'final_status' as status,
    count(*) as orders
from stg.order_events
group by 1
order by 2 desc, 1 asc;
