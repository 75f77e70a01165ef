-- One row = a content that was refused.
-- From: incoming_dead_letters
-- Grain: value_hash
-- Rerun: changes nothing, burns no id
-- Params: load_dt
insert into stg.dead_letters (
    value_hash,
    raw,
    topic,
    "partition",
    "offset",
    message_key,
    reason,
    detail,
    attempts,
    load_dt,
    attempt_dt
)
select
    first.value_hash,
    first.raw,
    first.topic,
    first."partition",
    first."offset",
    first.message_key,
    first.reason,
    first.detail,
    1,
    %(load_dt)s::timestamptz,
    %(load_dt)s::timestamptz
from (
    select distinct on (incoming.value_hash) incoming.*
    from incoming_dead_letters as incoming
    where not exists (
        select 1
        from stg.dead_letters as stored
        where stored.value_hash = incoming.value_hash
    )
    order by incoming.value_hash asc, incoming."partition" asc, incoming."offset" asc
) as first
order by first."partition" asc, first."offset" asc, first.message_key asc;
