-- After a part of a first load, in the same transaction: what it held is no longer needed, on disk or in memory. The next one looks up
-- by index what it is to hold.
-- Rerun: harmless
-- Params: none
discard temp;

set local enable_nestloop = on;
