-- Writers of STG take turns: holds until the end of the transaction. What a writer does in temporary tables alone, it does before.
-- A writer that has nothing to say for a minute (a frozen task, a node that is gone) loses its session, and with it the turn.
-- Rerun: harmless
-- Params: none
select pg_advisory_xact_lock(hashtext('dwh.stg'));

set local idle_in_transaction_session_timeout = '60s';
