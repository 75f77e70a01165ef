-- Notes a try of dead_letters_replay: the refused have a reason, all others of the batch are solved. Nothing is removed.
-- From: incoming_dead_letters
-- Grain: value_hash
-- Rerun: counts as another try; what is solved stays as it is
-- Params: load_dt, tried_hashes, run
update stg.dead_letters as stored
set
    attempts = stored.attempts + 1,
    attempt_dt = %(load_dt)s::timestamptz,
    tried_by = %(run)s,
    solved_dt = case when verdict.reason is null then %(load_dt)s::timestamptz end,
    reason = coalesce(verdict.reason, stored.reason),
    detail = coalesce(verdict.detail, stored.detail)
from (
    select
        tried.value_hash,
        refused.reason,
        refused.detail
    from unnest(%(tried_hashes)s::uuid[]) as tried (value_hash)
    left join incoming_dead_letters as refused on tried.value_hash = refused.value_hash
) as verdict
where
    stored.value_hash = verdict.value_hash
    and stored.solved_dt is null;
