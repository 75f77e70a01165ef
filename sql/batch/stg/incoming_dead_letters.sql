-- Temporary: the messages and documents of one chunk that were refused.
-- Grain: a message; the same content may stand in it twice
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table incoming_dead_letters (
    value_hash uuid,
    raw bytea,
    topic text,
    "partition" integer,
    "offset" bigint,
    message_key bytea,
    reason text,
    detail text
) on commit drop;
