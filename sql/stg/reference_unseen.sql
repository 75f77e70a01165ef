-- Which of the documents just read from Redis the warehouse has not judged yet.
-- From: stg.reference_log, stg.dead_letters
-- Grain: position, that of the document in the arrays, from 1
-- Rerun: reads only
-- Params: value_hashes, refusal_hashes (parallel arrays: the identity of the document if it is accepted, and if it is refused)
select read.position
from unnest(%(value_hashes)s::uuid[], %(refusal_hashes)s::uuid[]) with ordinality
    as read (value_hash, refusal_hash, position)
where
    not exists (
        select 1
        from stg.reference_log as accepted
        where accepted.value_hash = read.value_hash
    )
    and not exists (
        select 1
        from stg.dead_letters as refused
        where refused.value_hash = read.refusal_hash
    );
