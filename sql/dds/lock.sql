-- Writers of DDS take turns: holds until the end of the transaction.
-- Rerun: harmless
-- Params: none
select pg_advisory_xact_lock(hashtext('dwh.dds'));
