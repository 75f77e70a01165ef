-- The files of an export are gone; what it has said stays.
-- Rerun: changes nothing
-- Params: audience, seq, deleted_dt
update cdm.audience_exports
set files_deleted_dt = %(deleted_dt)s::timestamptz
where
    audience = %(audience)s
    and seq = %(seq)s
    and files_deleted_dt is null;
