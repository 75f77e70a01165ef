-- Which of the documents just found in Redis the warehouse has not judged yet, and of which the key could not be read before.
-- From: stg.reference_log, stg.dead_letters
-- Grain: position, that of the document in the arrays, from 1; is_new
-- Rerun: reads only
-- Params: value_hashes, refusal_hashes, unread_hashes (parallel arrays: the identity of the document if it is accepted, if it is
-- refused, and that of its key while it can't be read; of one that can't the last is the second, and the first is null)
with read as (
    select *
    from unnest(%(value_hashes)s::uuid[], %(refusal_hashes)s::uuid[], %(unread_hashes)s::uuid[]) with ordinality
        as found (value_hash, refusal_hash, unread_hash, position)
)

select
    read.position,
    true as is_new
from read
where
    not exists (
        select 1
        from stg.reference_log as accepted
        where accepted.value_hash = read.value_hash
    )
    and not exists (
        select 1
        from stg.dead_letters as refused
        where
            refused.value_hash = read.refusal_hash
            and (refused.solved_dt is null or read.value_hash is not null)
    )

union all

select
    read.position,
    false as is_new
from read
where
    read.value_hash is not null
    and read.unread_hash in (
        select unread.value_hash
        from stg.dead_letters as unread
        where
            unread.solved_dt is null
            and unread.reason in ('oversized', 'not_a_string')
            and unread.raw is null
    );
