-- Temporary: what this transaction loads, taken out of the queue for good when it commits.
-- From: stg.load_queue
-- Grain: source, value_hash
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: max_events
create temporary table batch_events (
    source text,
    value_hash uuid
) on commit drop;

with claimed as (
    delete from stg.load_queue
    where (source, value_hash) in (
        select
            source,
            value_hash
        from stg.load_queue
        limit %(max_events)s
    )
    returning source, value_hash
)

insert into batch_events (source, value_hash)
select
    source,
    value_hash
from claimed;

analyze batch_events;
