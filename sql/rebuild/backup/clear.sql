-- Before a dump is restored, in its transaction: removes every schema that the owner has made, so that nothing newer than the
-- dump is left beside what it holds. Readers who do not let go for a minute keep the old.
-- Rerun: harmless
-- Params: none
set local lock_timeout = '60s';
do $$
declare
    schema_name text;
begin
    for schema_name in
        select nspname
        from pg_catalog.pg_namespace
        where nspowner = current_user::regrole
        order by nspname
    loop
        execute format('drop schema %I cascade', schema_name);
    end loop;
end
$$;
