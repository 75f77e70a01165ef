-- One row = a distinct version of a user or a restaurant. It enters stg.load_queue in the same statement.
-- From: incoming_references, which has the columns of the log
-- Grain: value_hash, the content of the document
-- Rerun: a document that is known adds nothing
-- Params: load_dt
with accepted as (
    insert into stg.reference_log
    select *  -- noqa: AM04
    from incoming_references
    on conflict (value_hash) do nothing
    returning value_hash
)

insert into stg.load_queue (source, value_hash, load_dt)
select
    'reference_log',
    value_hash,
    %(load_dt)s::timestamptz
from accepted;
