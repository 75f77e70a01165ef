-- Temporary: what this transaction does to the counters, taken out of the queue for good when it commits: guests to count anew
-- (no h_order_pk), and baskets that orders gave to guests (change 1) or took from them (-1).
-- From: dds.counter_queue
-- Grain: id
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: none
create temporary table batch_claims (
    id bigint,
    h_user_pk uuid,
    h_order_pk uuid,
    products uuid[],
    change smallint
) on commit drop;

with claimed as (
    delete from dds.counter_queue
    returning id, h_user_pk, h_order_pk, products, change
)

insert into batch_claims (id, h_user_pk, h_order_pk, products, change)
select
    id,
    h_user_pk,
    h_order_pk,
    products,
    change
from claimed
-- The orders of the erased count for nobody.
where h_user_pk <> dds.erased_guest();
