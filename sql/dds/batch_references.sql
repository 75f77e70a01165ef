-- Temporary: the guests and restaurants of this batch with every version of theirs that STG holds.
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
    login text
) on commit drop;

insert into batch_references
select
    versions.object_type,
    dds.hash_key(versions.object_id),
    versions.object_id,
    versions.update_ts,
    versions.value_hash,
    versions.name,
    versions.login
from (
    select distinct
        claimed.object_type,
        claimed.object_id
    from batch_events as batch
    inner join stg.reference_log as claimed on batch.value_hash = claimed.value_hash
    where batch.source = 'reference_log'
) as touched
inner join stg.reference_log as versions
    on
        touched.object_type = versions.object_type
        and touched.object_id = versions.object_id;

analyze batch_references;
