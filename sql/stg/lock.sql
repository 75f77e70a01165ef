-- Writers of STG take turns: holds until the end of the transaction. What a writer does in temporary tables alone, it does before.
-- Rerun: harmless
-- Params: none
select pg_advisory_xact_lock(hashtext('dwh.stg'));
