-- An audience that the file no longer names is retired: nobody is wanted any more, so the next export takes everybody out.
-- Rerun: changes nothing
-- Params: audiences (those of the file)
update cdm.audiences
set status = 'retired'
where
    audience <> all(%(audiences)s::varchar[])
    and status <> 'retired';
