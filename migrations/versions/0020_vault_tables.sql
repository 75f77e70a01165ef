-- A first load and a rebuild take the vault's tables from the catalogue. Until now both named them one by one, and a satellite that
-- was added with a foreign key to h_order let neither of them work.
create function dds.vault_tables() returns regclass[]
language sql stable set search_path = '' as $$
select array_agg(oid::regclass order by relname <> 'h_order', relname)
from pg_catalog.pg_class
where relnamespace = 'dds'::regnamespace and relkind = 'r' and relname ~ '^(h|l|s|es)_'
$$;
comment on function dds.vault_tables() is
'Hubs, links, satellites and effectivity satellites, known by their names. Who locks several locks h_order first: who holds it holds all';

create or replace function dds.clear_vault() returns void
language plpgsql security definer set search_path = '' as $$
begin
    execute 'truncate ' || array_to_string(dds.vault_tables(), ', ');
end
$$;

create or replace function dds.suspend_keys() returns boolean
language sql security definer set search_path = '' as $$
select dds.take_off_keys(array(
    select vault.name
    from unnest(dds.vault_tables()) with ordinality as vault (name, place)
    where exists (
        select
        from pg_catalog.pg_attribute
        where attrelid = vault.name and attname in ('h_order_pk', 'h_user_pk') and not attisdropped
    )
    order by vault.place
))
$$;

create or replace function cdm.suspend_keys() returns boolean
language sql security definer set search_path = '' as $$
select dds.take_off_keys(array(
    select oid::regclass
    from pg_catalog.pg_class
    where relnamespace = 'cdm'::regnamespace and relkind = 'r' and relname ~ '^user_.*_counters$'
    order by relname desc
))
$$;

-- New: foreign keys that point at these tables, from wherever; and the locks of all at once, in the order given.
create or replace function dds.take_off_keys(tables regclass[]) returns boolean
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
declare
    target regclass;
    is_filled boolean;
    taking_off record;
begin
    foreach target in array tables loop
        execute 'select exists (select from ' || target || ')' into is_filled;
        if is_filled then
            return false;
        end if;
    end loop;
    execute 'lock table ' || array_to_string(tables, ', ') || ' in access exclusive mode';
    insert into dds.suspended_keys (restoring)
    select key.restoring
    from (
        select
            case when contype = 'f' then 3 else 1 end as step,
            conname::text as name,
            'alter table ' || conrelid::regclass::text || ' add constraint ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)
                as restoring
        from pg_constraint
        where
            (conrelid = any(tables) and contype in ('p', 'u', 'f'))
            or (confrelid = any(tables) and contype = 'f')
        union all
        select 2, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
        from pg_index
        where indrelid = any(tables)
            and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u'))
    ) as key
    order by key.step, key.name;
    for taking_off in
        select 'alter table ' || conrelid::regclass::text || ' drop constraint ' || quote_ident(conname) as statement
        from pg_constraint
        where
            (conrelid = any(tables) and contype in ('p', 'u', 'f'))
            or (confrelid = any(tables) and contype = 'f')
        order by contype <> 'f'
    loop
        execute taking_off.statement;
    end loop;
    for taking_off in
        select 'drop index ' || indexrelid::regclass::text as statement
        from pg_index
        where indrelid = any(tables)
    loop
        execute taking_off.statement;
    end loop;
    return true;
exception
    when lock_not_available or deadlock_detected then
        return false;
end
$$;

-- A law of sql/checks asks whether every key is back.
grant select on dds.suspended_keys to dwh_etl;
