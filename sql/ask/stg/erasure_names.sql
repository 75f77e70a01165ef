-- By what a guest may be named in a text: every name and login that the warehouse has ever read.
-- From: stg.reference_log
-- Grain: name, login
-- Rerun: harmless
-- Params: guest_id
select distinct
    name,
    login
from stg.reference_log
where
    object_type = 'user'
    and object_id = %(guest_id)s::text;
