-- One row = a distinct version of a user or a restaurant. It enters stg.load_queue in the same statement.
-- From: incoming_references
-- Grain: value_hash, the content of the document
-- Rerun: a document that is known adds nothing
-- Params: load_dt
with accepted as (
    insert into stg.reference_log (
        value_hash,
        object_type,
        object_id,
        update_ts,
        name,
        login,
        menu_ids,
        menu_names,
        menu_categories,
        value,
        load_dt
    )
    select
        value_hash,
        object_type,
        object_id,
        update_ts,
        name,
        login,
        menu_ids,
        menu_names,
        menu_categories,
        value,
        %(load_dt)s::timestamptz
    from incoming_references
    on conflict (value_hash) do nothing
    returning value_hash
)

insert into stg.load_queue (source, value_hash, load_dt)
select
    'reference_log',
    value_hash,
    %(load_dt)s::timestamptz
from accepted;
