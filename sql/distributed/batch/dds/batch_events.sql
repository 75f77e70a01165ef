-- What this transaction loads, taken out of the queue for good when it commits: of the orders and documents of a range of keys, or all
-- that waits. No batch is cut by a number of events: which worker would have to leave some?
-- From: stg.load_queue
-- Grain: source, value_hash
-- Rerun: emptied at the end of the transaction; a transaction that fails gives back what it took
-- Params: from_key, to_key (NULL: all)
create temporary table batch_events (
    object_pk uuid,
    source text,
    value_hash uuid,
    object_id bigint
) on commit drop;

insert into batch_events (object_pk, source, value_hash, object_id)
select
    object_pk,
    source,
    value_hash,
    object_id
from stg.load_queue
where
    (%(from_key)s::uuid is null or object_pk >= %(from_key)s::uuid)
    and (%(to_key)s::uuid is null or object_pk < %(to_key)s::uuid);

delete from stg.load_queue as queue
using batch_events as batch
where
    queue.object_pk = batch.object_pk
    and queue.source = batch.source
    and queue.value_hash = batch.value_hash;
