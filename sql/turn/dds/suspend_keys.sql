-- A vault that is still empty is filled without the keys of those of its tables that grow with the orders and the guests: to build
-- and check them all at once in the end takes a quarter of the time that they take row by row. The same transaction takes them off
-- and puts them back: nobody ever sees the tables without.
-- Without indexes a nested loop would read a table whole for each row of the batch, while the batch fills it.
-- The second part of a first load finds them off.
-- From: every table of dds.vault_tables() with the key of an order or a guest
-- Rerun: harmless; takes nothing off where one of them holds a row
-- Params: none
select
    set_config(
        'enable_nestloop',
        case when dds.suspend_keys() or exists (select 1 from dds.suspended_keys) then 'off' else 'on' end,
        true
    );
