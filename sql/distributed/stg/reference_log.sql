-- One row = a distinct version of a user or a restaurant. It enters stg.load_queue in the same transaction, and the turn of STG is
-- held: what is new at the first statement is new at the second.
-- From: incoming_references, which has the columns of the log
-- Grain: value_hash, the content of the document
-- Rerun: a document that is known adds nothing
-- Params: load_dt
insert into stg.load_queue (object_pk, source, value_hash, load_dt)
select distinct
    incoming.value_hash,
    'reference_log',
    incoming.value_hash,
    %(load_dt)s::timestamptz
from incoming_references as incoming
where
    not exists (
        select 1
        from stg.reference_log as known
        where known.value_hash = incoming.value_hash
    );

insert into stg.reference_log
select *  -- noqa: AM04
from incoming_references
on conflict (value_hash) do nothing;
