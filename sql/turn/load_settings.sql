-- For transactions that load: they look up by index, whatever the statistics say. Without this a plan made while a table was empty
-- reads it whole for each row of the batch, while the batch fills it; and no minute's run may read the history whole.
-- The temporary tables of a batch have no indexes and are read whole all the same.
-- Rerun: harmless
-- Params: none
set local enable_seqscan = off;

-- Of the temporary tables the planner must know how many rows they have, hardly more.
set local default_statistics_target = 10;
