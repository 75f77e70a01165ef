-- The guests whose counters this transaction touches: all of them are counted anew.
-- From: batch_claims
-- Grain: h_user_pk
-- Rerun: emptied at the end of the transaction
-- Params: none
create temporary table batch_guests (
    h_user_pk uuid primary key,
    is_recounted boolean
) on commit drop;

insert into batch_guests (h_user_pk, is_recounted)
select distinct
    h_user_pk,
    true
from batch_claims;
