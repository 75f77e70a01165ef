-- The manifest is there: the export is out.
-- Rerun: changes nothing
-- Params: audience, seq, published_dt
update cdm.audience_exports
set
    status = 'published',
    published_dt = %(published_dt)s::timestamptz
where
    audience = %(audience)s
    and seq = %(seq)s
    and status = 'planned';
