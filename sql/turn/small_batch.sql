-- For a transaction that loads little, or asks about little, on a PostgreSQL before 18. There a plan in which something is switched off
-- that it can't do without (the temporary tables have no indexes) costs 1e10 more. Beside that the costs of the ways to the other
-- tables are lost in rounding, and some are read whole by an index. A page that costs more keeps the planner from reading tables one
-- page after another, and leaves the rest to be compared.
-- Rerun: harmless
-- Params: none
select
    set_config('enable_seqscan', 'on', true),
    set_config('seq_page_cost', '50', true)
where current_setting('server_version_num')::integer < 180000;
