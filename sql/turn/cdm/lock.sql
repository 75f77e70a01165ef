-- Writers of CDM take turns: holds until the end of the transaction.
-- A writer that has nothing to say for a minute (a frozen task, a node that is gone) loses its session, and with it the turn.
-- Rerun: harmless
-- Params: none
select pg_advisory_xact_lock(hashtext('dwh.cdm'));

set local idle_in_transaction_session_timeout = '60s';
