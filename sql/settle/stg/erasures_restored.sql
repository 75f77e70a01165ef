-- After a restore: what a copy of the ledger knows and the restored table does not is there again.
-- Rerun: adds nothing
-- Params: acts
select stg.restore_erasures(%(acts)s::jsonb);
