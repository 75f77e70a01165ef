-- Marts that hold no counter yet are filled without the keys of their counters, as turn/dds/suspend_keys.sql does with the vault.
-- From: cdm.user_product_counters, cdm.user_category_counters
-- Rerun: harmless; does nothing where the marts hold counters
-- Params: none
select set_config('enable_nestloop', case when cdm.suspend_keys() then 'off' else 'on' end, true);
