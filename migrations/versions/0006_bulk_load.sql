-- The first load of an empty vault: rows enter tables without keys, and the keys are built over them afterwards, all in one
-- transaction. Which keys there are, the catalogue knows; here stand only the tables that grow with the orders.
create table dds.suspended_keys (
    id bigint generated always as identity primary key,
    restoring varchar not null
);
comment on table dds.suspended_keys is 'Keys and indexes that the transaction in progress has taken off the vault; empty for everybody else';
comment on column dds.suspended_keys.id is 'Order in which they are put back: primary keys before the foreign keys that need them';
comment on column dds.suspended_keys.restoring is 'The statement that puts one of them back';

create function dds.suspend_keys() returns boolean
language plpgsql security definer set search_path = '' as $$
declare
    tables constant regclass[] := array[
        'dds.h_order', 'dds.l_order_user', 'dds.l_order_product', 'dds.s_order_cost', 'dds.s_order_status',
        'dds.es_order_user', 'dds.es_order_product'
    ];
    taking_off record;
begin
    if exists (select from dds.h_order) then
        return false;
    end if;
    insert into dds.suspended_keys (restoring)
    select
        'alter table ' || conrelid::regclass::text || ' add constraint ' || quote_ident(conname)
        || ' ' || pg_get_constraintdef(oid)
    from pg_constraint
    where conrelid = any(tables) and contype in ('p', 'u', 'f')
    order by contype = 'f', conname;
    insert into dds.suspended_keys (restoring)
    select pg_get_indexdef(indexrelid)
    from pg_index
    where indrelid = any(tables)
        and not exists (select from pg_constraint where conindid = indexrelid)
    order by indexrelid::regclass::text;
    for taking_off in
        select 'alter table ' || conrelid::regclass::text || ' drop constraint ' || quote_ident(conname) as statement
        from pg_constraint
        where conrelid = any(tables) and contype in ('p', 'u', 'f')
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
end
$$;
comment on function dds.suspend_keys() is 'Takes keys and indexes off the order-sized tables of a vault without orders until dds.restore_keys(), which must follow in the same transaction; tells whether it did';

-- "enable_seqscan": foreign keys are checked by one join, also where the load has told the planner to look up by index.
create function dds.restore_keys() returns void
language plpgsql security definer set search_path = '' set enable_seqscan = on as $$
declare
    taken_off record;
begin
    for taken_off in select restoring from dds.suspended_keys order by id loop
        execute taken_off.restoring;
    end loop;
    delete from dds.suspended_keys;
end
$$;
comment on function dds.restore_keys() is 'Puts back, and so checks, what dds.suspend_keys() has taken off';

-- A transaction that forgets the second half can't commit.
create function dds.refuse_suspended_keys() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from dds.suspended_keys where id = new.id) then
        raise exception using message = 'keys of the vault are still suspended: call dds.restore_keys() before the transaction ends ('
            || new.restoring || ')';
    end if;
    return null;
end
$$;
comment on function dds.refuse_suspended_keys() is 'Keeps a transaction from committing without the keys that it has suspended';
create constraint trigger refuse_suspended_keys after insert on dds.suspended_keys
deferrable initially deferred
for each row execute function dds.refuse_suspended_keys();

revoke all on function dds.suspend_keys(), dds.restore_keys() from public;
grant execute on function dds.suspend_keys(), dds.restore_keys() to dwh_etl;
