-- The next dead letters of a replay: neither solved, withdrawn nor tried yet by this run, as many as a batch may hold of letters and
-- bytes. Of a batch that could not be read there is nothing to try.
-- From: stg.dead_letters, stg.withdrawn
-- Grain: id
-- Rerun: reads only
-- Params: is_reference, reason, ids, after_id, last_id, run, max_letters, max_bytes
select
    id,
    value_hash,
    raw,
    topic,
    "partition",
    "offset",
    message_key
from (
    select
        next.*,
        sum(octet_length(next.raw)) over (
            order by next.id rows between unbounded preceding and 1 preceding
        ) as bytes_before
    from (
        select *
        from stg.dead_letters
        where
            solved_dt is null
            and reason <> 'unreadable_batch'
            and (topic = 'redis') = %(is_reference)s
            and (%(reason)s::text is null or reason = %(reason)s::text)
            and (%(ids)s::bigint[] is null or id = any(%(ids)s::bigint[]))
            and id > %(after_id)s
            -- A document is known here by another name than in its log: by its content, as the log names it.
            and (
                reason <> 'withdrawn'
                or not exists (
                    select 1
                    from stg.withdrawn as known
                    where known.value_hash = left(encode(sha256(stg.dead_letters.raw), 'hex'), 32)::uuid
                )
            )
            and id <= %(last_id)s
            and tried_by is distinct from %(run)s
        order by id
        limit %(max_letters)s
    ) as next
) as batch
where coalesce(bytes_before, 0) < %(max_bytes)s
order by id;
