-- Temporary: the lines of a file of suppressions.
-- Grain: a line
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table incoming_suppressions (
    line integer,
    kind text,
    value text,
    channel text,
    reason text,
    since timestamptz,
    until timestamptz
) on commit drop;
