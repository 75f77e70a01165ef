-- Law stg.reference_keys: each guest (who is not erased) and restaurant of an order is among the keys to ask Redis for, and is marked
-- as found where a document is there.
-- Over: rows
-- Params: first_key, last_key, changed_since
with checked as (
    select
        log.user_id,
        log.restaurant_id
    from stg.order_event_log as log
    where
        (
            log.value_hash between %(first_key)s::uuid and %(last_key)s::uuid
            or log.load_dt > %(changed_since)s::timestamptz
        )
),

named as (
    select
        'user' as object_type,
        user_id as object_id
    from checked
    where user_id <> stg.erased_id()
    union
    select
        'restaurant' as object_type,
        restaurant_id as object_id
    from checked
),

documents as (
    select
        named.object_type,
        named.object_id,
        exists(
            select 1
            from stg.reference_log as log
            where
                log.object_type = named.object_type
                and log.object_id = named.object_id
        ) as is_there
    from named
)

select
    documents.object_type,
    dds.hash_key(documents.object_id) as object_pk,
    known.is_found,
    documents.is_there as has_document
from documents
left join stg.reference_keys as known
    on
        documents.object_type = known.object_type
        and documents.object_id = known.object_id
where known.is_found is distinct from documents.is_there;
