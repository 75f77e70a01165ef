-- First statement of every transaction of the pipeline. "set local", not options of the connection: a pooler of transactions
-- (port 6432 of a managed PostgreSQL) passes those on to nobody.
-- Rerun: harmless
-- Params: statement_timeout_ms
set local timezone = 'UTC';
set local jit = off;
set local work_mem = '64MB';
-- The batch tables of a history's chunk stay in memory.
set local temp_buffers = '128MB';
set local statement_timeout = %(statement_timeout_ms)s;
-- A client that is silent for longer than its task may take is gone: what it holds is set free. Writers get less: lock.sql.
set local idle_in_transaction_session_timeout = %(statement_timeout_ms)s;
