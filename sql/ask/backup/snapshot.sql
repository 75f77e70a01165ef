-- After sql/turn/whole.sql: a snapshot that pg_dump can take over while this transaction is open, and what is in it.
-- Rerun: reads only
-- Params: none
select
    pg_export_snapshot() as snapshot,
    (
        select count(*)
        from stg.order_event_log
    ) as messages;
