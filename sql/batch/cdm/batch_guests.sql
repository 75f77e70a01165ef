-- Temporary: the guests whose counters this transaction touches. Who is to be counted anew is, and baskets of theirs are part of that.
-- From: batch_claims
-- Grain: h_user_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_guests (
    h_user_pk uuid primary key,
    is_recounted boolean
) on commit drop;

insert into batch_guests (h_user_pk, is_recounted)
select
    h_user_pk,
    bool_or(h_order_pk is null)
from batch_claims
group by h_user_pk;

analyze batch_guests;
