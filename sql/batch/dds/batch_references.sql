-- Temporary: the guests and restaurants of this batch with their versions from the earliest one that came in,
-- and with the one before it, to be compared with (is_before): it changes nothing itself. Those before that stay unread.
-- From: batch_events, stg.reference_log
-- Grain: value_hash (a version of a guest or a restaurant)
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_references (
    object_type text,
    object_pk uuid,
    object_id text,
    update_ts timestamptz,
    value_hash uuid,
    name text,
    login text,
    phone text,
    email text,
    is_before boolean
) on commit drop;

insert into batch_references
with first_incoming as (
    select distinct on (log.object_type, log.object_id)
        log.object_type,
        log.object_id,
        log.update_ts,
        log.value_hash
    from batch_events as batch
    inner join stg.reference_log as log on batch.value_hash = log.value_hash
    where batch.source = 'reference_log'
    order by log.object_type asc, log.object_id asc, log.update_ts asc, log.value_hash asc
),

versions as (
    select
        log.object_type,
        log.object_id,
        log.update_ts,
        log.value_hash,
        log.name,
        log.login,
        log.phone,
        log.email,
        false as is_before
    from first_incoming
    inner join stg.reference_log as log
        on
            first_incoming.object_type = log.object_type
            and first_incoming.object_id = log.object_id
    where (log.update_ts, log.value_hash) >= (first_incoming.update_ts, first_incoming.value_hash)

    union all

    select
        version_before.*,
        true as is_before
    from first_incoming
    cross join lateral (
        select
            log.object_type,
            log.object_id,
            log.update_ts,
            log.value_hash,
            log.name,
            log.login,
            log.phone,
            log.email
        from stg.reference_log as log
        where
            log.object_type = first_incoming.object_type
            and log.object_id = first_incoming.object_id
            and (log.update_ts, log.value_hash) < (first_incoming.update_ts, first_incoming.value_hash)
        order by log.update_ts desc, log.value_hash desc
        limit 1
    ) as version_before
)

select
    object_type,
    dds.hash_key(object_id),
    object_id,
    update_ts,
    value_hash,
    name,
    login,
    phone,
    email,
    is_before
from versions;

analyze batch_references;
