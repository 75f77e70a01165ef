-- Before the vault is built again from STG, in the same transaction: empties it and queues everything that STG holds.
-- The marts' lock first: a CDM load that reads the vault must end before the tables are emptied. Baskets that wait for the marts were
-- the difference to a vault that is no more: their guests are counted anew.
-- From: stg.order_event_log, stg.reference_log, dds.counter_queue
-- Rerun: harmless
-- Params: load_dt
select pg_advisory_xact_lock(hashtext('dwh.cdm'));

select dds.clear_vault();

insert into dds.counter_queue (h_user_pk, load_dt)
select distinct
    h_user_pk,
    %(load_dt)s::timestamptz
from dds.counter_queue
where h_order_pk is not null;

insert into stg.load_queue (source, value_hash, load_dt, object_id, h_order_pk)
select
    'order_event_log',
    value_hash,
    %(load_dt)s::timestamptz,
    object_id,
    dds.hash_key(object_id::text)
from stg.order_event_log
union all
select
    'reference_log',
    value_hash,
    %(load_dt)s::timestamptz,
    null,
    null
from stg.reference_log
on conflict do nothing;
