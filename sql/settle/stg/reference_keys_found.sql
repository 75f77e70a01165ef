-- Marks the guests and restaurants that are no longer missing.
-- From: incoming_references
-- Grain: object_type, object_id
-- Rerun: changes nothing
-- Params: none
update stg.reference_keys as known
set is_found = true
from incoming_references as incoming
where
    known.object_type = incoming.object_type
    and known.object_id = incoming.object_id
    and not known.is_found;
