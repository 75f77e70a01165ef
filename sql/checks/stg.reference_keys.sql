-- Law stg.reference_keys: each guest and restaurant of an order is among the keys to ask Redis for, and is marked as found where a
-- document is there.
-- Params: none
with named as (
    select
        'user' as object_type,
        user_id as object_id
    from stg.order_event_log
    union
    select
        'restaurant' as object_type,
        restaurant_id as object_id
    from stg.order_event_log
),

documents as (
    select distinct
        object_type,
        object_id
    from stg.reference_log
)

select
    named.object_type,
    named.object_id,
    known.is_found,
    documents.object_id is not null as has_document
from named
left join stg.reference_keys as known
    on
        named.object_type = known.object_type
        and named.object_id = known.object_id
left join documents
    on
        named.object_type = documents.object_type
        and named.object_id = documents.object_id
where known.is_found is distinct from (documents.object_id is not null);
