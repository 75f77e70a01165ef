-- Puts back the keys that turn/cdm/suspend_keys.sql has taken off in this transaction, which checks all rows.
-- Rerun: harmless; does nothing where they are in place
-- Params: none
select cdm.restore_keys();

set local enable_nestloop = on;
