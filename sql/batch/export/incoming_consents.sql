-- Temporary: the lines of a file of consents.
-- Grain: a line
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table incoming_consents (
    guest_id text,
    channel text,
    granted_dt timestamptz,
    withdrawn_dt timestamptz,
    source text
) on commit drop;
