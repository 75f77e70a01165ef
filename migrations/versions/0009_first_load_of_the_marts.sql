-- What dds.suspend_keys() did for the vault alone, for any tables: the functions of the vault and of the marts name theirs.
-- Whoever reads one of the tables is waited for, but not for long: then the load goes the slow way, with keys.
create function dds.take_off_keys(tables regclass[]) returns boolean
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
exception
    when lock_not_available or deadlock_detected then
        return false;
end
$$;
comment on function dds.take_off_keys(regclass[]) is 'Takes keys and indexes off tables that are all empty until dds.restore_keys(), which must follow in the same transaction; tells whether it did';
revoke all on function dds.take_off_keys(regclass[]) from public;

create or replace function dds.suspend_keys() returns boolean
language sql security definer set search_path = '' as $$
select dds.take_off_keys(array[
    'dds.h_order', 'dds.h_user', 'dds.l_order_user', 'dds.l_order_product', 'dds.s_order_cost', 'dds.s_order_status',
    'dds.s_user_names', 'dds.es_order_user', 'dds.es_order_product'
]::regclass[])
$$;
comment on function dds.suspend_keys() is 'Takes keys and indexes off those tables of an empty vault that grow with the orders and the guests until dds.restore_keys(), which must follow in the same transaction; tells whether it did';

create function cdm.suspend_keys() returns boolean
language sql security definer set search_path = '' as $$
select dds.take_off_keys(array['cdm.user_product_counters', 'cdm.user_category_counters']::regclass[])
$$;
comment on function cdm.suspend_keys() is 'Takes keys and indexes off the counters of empty marts until cdm.restore_keys(), which must follow in the same transaction; tells whether it did';

create function cdm.restore_keys() returns void
language sql security definer set search_path = '' as $$
select dds.restore_keys()
$$;
comment on function cdm.restore_keys() is 'Puts back, and so checks, what cdm.suspend_keys() has taken off';

revoke all on function cdm.suspend_keys(), cdm.restore_keys() from public;
grant execute on function cdm.suspend_keys(), cdm.restore_keys() to dwh_etl;

comment on table dds.suspended_keys is 'Keys and indexes that the transaction in progress has taken off the vault or the marts; empty for everybody else';
