-- Makes the logs what the rules of today say of them, and what is derived from the logs what these give; rows that are right stay
-- untouched. What is not accepted any more leaves the log and is a dead letter, one that was solved included. No load of the vault
-- may be on: it would read some of its messages as they were, and some as they are.
-- From: stg.judged_orders, stg.judged_references, incoming_dead_letters
-- Rerun: changes nothing
-- Params: load_dt
select pg_advisory_xact_lock(hashtext('dwh.dds'));

select stg.amend_logs();

merge into stg.dead_letters as stored
using incoming_dead_letters as refused
on stored.value_hash = refused.value_hash
when matched and stored.solved_dt is not null then update set
    attempts = stored.attempts + 1,
    attempt_dt = %(load_dt)s::timestamptz,
    solved_dt = null,
    -- Of one that was solved long ago they are gone: the log that it leaves has them.
    raw = coalesce(stored.raw, refused.raw),
    message_key = coalesce(stored.message_key, refused.message_key),
    reason = refused.reason,
    detail = refused.detail
when not matched then insert (
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
values (
    refused.value_hash,
    refused.raw,
    refused.topic,
    refused."partition",
    refused."offset",
    refused.message_key,
    refused.reason,
    refused.detail,
    1,
    %(load_dt)s::timestamptz,
    %(load_dt)s::timestamptz
);

merge into stg.order_events as stored
using (
    select
        coalesce(newest.object_id, known.object_id) as object_id,
        newest.update_ts,
        newest.sent_dttm,
        newest.value_hash
    from (
        select distinct on (object_id)
            object_id,
            update_ts,
            sent_dttm,
            value_hash
        from stg.order_event_log
        order by object_id asc, update_ts desc, sent_dttm desc, value_hash desc
    ) as newest
    full join stg.order_events as known on newest.object_id = known.object_id
    where
        (newest.update_ts, newest.sent_dttm, newest.value_hash)
        is distinct from (known.update_ts, known.sent_dttm, known.value_hash)
) as recount
on stored.object_id = recount.object_id
when matched and recount.value_hash is null then delete
when matched then update set
    payload = (
        select log.value -> 'payload'
        from stg.order_event_log as log
        where log.value_hash = recount.value_hash
    ),
    sent_dttm = recount.sent_dttm,
    update_ts = recount.update_ts,
    value_hash = recount.value_hash,
    load_dt = %(load_dt)s::timestamptz
when not matched then insert (
    object_id,
    payload,
    object_type,
    sent_dttm,
    update_ts,
    value_hash,
    load_dt
)
values (
    recount.object_id,
    (
        select log.value -> 'payload'
        from stg.order_event_log as log
        where log.value_hash = recount.value_hash
    ),
    'order',
    recount.sent_dttm,
    recount.update_ts,
    recount.value_hash,
    %(load_dt)s::timestamptz
);

merge into stg.reference_keys as stored
using (
    select
        coalesce(named.object_type, known.object_type) as object_type,
        coalesce(named.object_id, known.object_id) as object_id,
        named.is_found
    from (
        select
            keys.object_type,
            keys.object_id,
            exists(
                select 1
                from stg.reference_log as log
                where
                    log.object_type = keys.object_type
                    and log.object_id = keys.object_id
            ) as is_found
        from (
            select
                'user' as object_type,
                user_id as object_id
            from stg.order_event_log
            where user_id <> stg.erased_id()
            union
            select
                'restaurant' as object_type,
                restaurant_id as object_id
            from stg.order_event_log
        ) as keys
    ) as named
    full join stg.reference_keys as known
        on
            named.object_type = known.object_type
            and named.object_id = known.object_id
    where named.is_found is distinct from known.is_found
) as recount
on
    stored.object_type = recount.object_type
    and stored.object_id = recount.object_id
when matched and recount.is_found is null then delete
when matched then update set is_found = recount.is_found
when not matched then insert (object_type, object_id, is_found, load_dt)
values (recount.object_type, recount.object_id, recount.is_found, %(load_dt)s::timestamptz);
