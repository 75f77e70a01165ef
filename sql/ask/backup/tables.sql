-- One row = a table of the database: a whole dump holds the rows of each.
-- From: the catalog
-- Rerun: reads only
-- Params: none
select
    schemaname,
    tablename
from pg_catalog.pg_tables
where schemaname not in ('information_schema', 'pg_catalog')
order by
    schemaname,
    tablename;
