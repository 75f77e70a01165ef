-- Before the first look of a transaction that reads everything: each worker takes a snapshot of its own, so there is one of the
-- whole only while nobody writes. The turns of all layers are held, shared: loads and rebuilds wait for the reader, readers not for
-- each other.
-- Rerun: harmless
-- Params: lock_timeout_ms
set local lock_timeout = %(lock_timeout_ms)s;

select
    pg_advisory_xact_lock_shared(hashtext('dwh.stg')),
    pg_advisory_xact_lock_shared(hashtext('dwh.dds')),
    pg_advisory_xact_lock_shared(hashtext('dwh.cdm'));
