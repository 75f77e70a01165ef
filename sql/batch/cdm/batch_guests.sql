-- Temporary: the guests whose counters this transaction recomputes, taken out of the queue for good when it commits.
-- From: dds.counter_queue
-- Grain: h_user_pk
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: none
create temporary table batch_guests (
    h_user_pk uuid primary key
) on commit drop;

with claimed as (
    delete from dds.counter_queue
    returning h_user_pk
)

insert into batch_guests (h_user_pk)
select distinct h_user_pk
from claimed;

analyze batch_guests;
