-- Before the vault is built again from STG, in the same transaction: empties it and queues everything that STG holds.
-- The marts' lock first: a CDM load that reads the vault must end before the tables are emptied. Baskets that wait for the marts were
-- the difference to a vault that is no more: their guests are counted anew.
-- From: stg.order_event_log, stg.reference_log, dds.counter_queue
-- Rerun: harmless
-- Params: load_dt
select pg_advisory_xact_lock(hashtext('dwh.cdm'));

select dds.clear_vault();

insert into stg.load_queue (object_pk, source, value_hash, load_dt, object_id, h_order_pk)
select
    h_order_pk,
    'order_event_log',
    value_hash,
    %(load_dt)s::timestamptz,
    object_id,
    h_order_pk
from stg.order_event_log
on conflict do nothing;

insert into stg.load_queue (object_pk, source, value_hash, load_dt)
select
    value_hash,
    'reference_log',
    value_hash,
    %(load_dt)s::timestamptz
from stg.reference_log
on conflict do nothing;
