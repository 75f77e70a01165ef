-- A key of Redis that can't be read has one letter, without content: open while it is so, solved as soon as it is read.
-- From: incoming_dead_letters
-- Grain: value_hash
-- Rerun: changes nothing
-- Params: load_dt, unread_hashes, read_again_hashes (of each document of the chunk what its key is called while it can't be read,
-- and of those that could not be read before and hold what is known by now)
update stg.dead_letters as stored
set
    attempt_dt = %(load_dt)s::timestamptz,
    solved_dt = case when verdict.reason is null then %(load_dt)s::timestamptz end,
    reason = coalesce(verdict.reason, stored.reason),
    detail = coalesce(verdict.detail, stored.detail)
from (
    select
        tried.value_hash,
        unread.reason,
        unread.detail
    from unnest(%(unread_hashes)s::uuid[] || %(read_again_hashes)s::uuid[]) as tried (value_hash)
    left join incoming_dead_letters as unread on tried.value_hash = unread.value_hash
) as verdict
where
    stored.value_hash = verdict.value_hash
    and (stored.solved_dt is null) = (verdict.reason is null);
