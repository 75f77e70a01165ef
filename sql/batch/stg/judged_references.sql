-- One row = a document of the log of which the rules of today say something else than the log does. Empties the chunk's table.
-- From: incoming_references, stg.reference_log
-- Grain: value_hash
-- Rerun: a document is judged once in a transaction
-- Params: gone_hashes (those of the chunk that are not accepted by now)
analyze incoming_references;

insert into stg.judged_references (
    value_hash,
    is_accepted,
    object_type,
    object_id,
    update_ts,
    name,
    login,
    menu_ids,
    menu_names,
    menu_categories
)
select
    today.value_hash,
    true,
    today.object_type,
    today.object_id,
    today.update_ts,
    today.name,
    today.login,
    today.menu_ids,
    today.menu_names,
    today.menu_categories
from incoming_references as today
inner join stg.reference_log as log on today.value_hash = log.value_hash
where
    (
        today.object_type,
        today.object_id,
        today.update_ts,
        today.name,
        today.login,
        today.menu_ids,
        today.menu_names,
        today.menu_categories
    )
    is distinct from (
        log.object_type,
        log.object_id,
        log.update_ts,
        log.name,
        log.login,
        log.menu_ids,
        log.menu_names,
        log.menu_categories
    );

insert into stg.judged_references (value_hash, is_accepted)
select
    gone.value_hash,
    false
from unnest(%(gone_hashes)s::uuid[]) as gone (value_hash);

truncate incoming_references;
