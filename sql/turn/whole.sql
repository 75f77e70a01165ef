-- Before the first look of a transaction that reads everything in one snapshot: holds the vault against a rebuild, which empties it
-- by TRUNCATE. That leaves nothing for an older snapshot to see, so the snapshot must be taken after the lock, and LOCK TABLE takes
-- none. One table is enough: who empties the vault locks h_order before any other (dds.vault_tables()). Loads go on; a rebuild waits
-- for the reader, and the reader for a rebuild that is on.
-- Rerun: harmless
-- Params: lock_timeout_ms
set local lock_timeout = %(lock_timeout_ms)s;
lock table dds.h_order in access share mode;
