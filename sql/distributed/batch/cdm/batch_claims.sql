-- As two statements: what a distributed table loses can't be handed on. A row that comes between them waits for the next batch.
-- From: dds.counter_queue
-- Grain: id
-- Rerun: emptied at the end of the transaction; a transaction that fails gives back what it took
-- Params: none
create temporary table batch_claims (
    h_user_pk uuid,
    id bigint
) on commit drop;

insert into batch_claims (h_user_pk, id)
select
    h_user_pk,
    id
from dds.counter_queue;

delete from dds.counter_queue as queue
using batch_claims as claim
where
    queue.h_user_pk = claim.h_user_pk
    and queue.id = claim.id;

-- The orders of the erased count for nobody.
delete from batch_claims
where h_user_pk = dds.erased_guest();
