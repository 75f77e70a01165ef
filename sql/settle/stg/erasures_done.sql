-- Erases a guest, under the turns of all layers.
-- Rerun: finds nothing more to erase
-- Params: guest_id, subject_hmac, reason, requested_dt, done_dt, value_hashes, scrubbed, letters (ids of the dead letters to blank)
select
    stg.erase_guest(
        %(guest_id)s::text,
        %(subject_hmac)s::bytea,
        %(reason)s::text,
        %(requested_dt)s::timestamptz,
        %(done_dt)s::timestamptz,
        %(value_hashes)s::uuid[],
        %(scrubbed)s::text[],
        %(letters)s::bigint[]
    );
