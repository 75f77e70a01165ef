-- Exporters of a channel take turns, between transactions, too: a transaction of its own, in a session of its own, holds this one
-- while files are written. That it says nothing meanwhile is as it should be.
-- Rerun: harmless
-- Params: channel
select pg_try_advisory_xact_lock(hashtext('dwh.export'), hashtext(%(channel)s));

set local idle_in_transaction_session_timeout = 0;
