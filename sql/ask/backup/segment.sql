-- One row = the segment of the server's log that is being written: a base backup that begins now needs none before it.
-- Rerun: reads only
-- Params: none
select pg_walfile_name(pg_current_wal_insert_lsn()) as segment;
