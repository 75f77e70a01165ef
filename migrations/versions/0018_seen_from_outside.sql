create table stg.law_checks (
    law text primary key,
    broken_rows bigint not null,
    checked_dt timestamptz not null
);
comment on table stg.law_checks is 'What data_checks found when it last asked each law';
comment on column stg.law_checks.law is 'Name of the law: its file in sql/checks';
comment on column stg.law_checks.broken_rows is 'How many rows broke it; 0 = it held';
comment on column stg.law_checks.checked_dt is 'When it was last answered';
grant select, insert, update, delete on stg.law_checks to dwh_etl;

create view cdm.v_laws with (security_barrier) as
select
    law,
    broken_rows,
    checked_dt,
    extract(epoch from now() - checked_dt)::double precision as checked_age_s
from stg.law_checks;
comment on view cdm.v_laws is 'One row = a law of the data, as data_checks last found it';
comment on column cdm.v_laws.law is 'Name of the law, see docs/runbook.md, data_checks';
comment on column cdm.v_laws.broken_rows is 'How many rows broke it; 0 = it held';
comment on column cdm.v_laws.checked_dt is 'When it was last answered';
comment on column cdm.v_laws.checked_age_s is 'Seconds since then';

create view cdm.v_lost_messages with (security_barrier) as
select
    coalesce(sum(to_offset - from_offset), 0)::bigint as messages,
    min(noticed_dt) as noticed_dt
from stg.lost_messages
where acknowledged_dt is null;
comment on view cdm.v_lost_messages is 'What Kafka removed before it was read, and nobody has taken note of; one row';
comment on column cdm.v_lost_messages.messages is 'Offsets lost; 0 = none';
comment on column cdm.v_lost_messages.noticed_dt is 'When the first of them were found gone; NULL = none are';

-- Of other roles' sessions PostgreSQL shows the times to members of pg_read_all_stats only: the owner is one (bootstrap.py), and this
-- function sees with the owner's eyes. No text of a query leaves it.
create function stg.see_transactions() returns table (kind text, who text, since timestamptz, detail text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select 'session', usename::text, xact_start, format('pid %%s, %%s', pid, state)
    from pg_stat_activity
    where datname = current_database() and xact_start is not null and backend_type in ('client backend', 'walsender')
    union all
    select 'prepared', owner::text, prepared, format('prepared as %%L', gid)
    from pg_prepared_xacts
    where database = current_database()
    union all
    -- Since when a slot is unused is known to PostgreSQL 17 and later; those before have no such column.
    select 'slot', slot_name::text, (to_jsonb(slot) ->> 'inactive_since')::timestamptz, 'unused ' || slot_type || ' slot'
    from pg_replication_slots as slot
    where not active and coalesce(database, current_database()) = current_database()
$$;
comment on function stg.see_transactions() is 'What keeps dead rows, or the log, from being removed, and since when';
revoke execute on function stg.see_transactions() from public;
grant execute on function stg.see_transactions() to dwh_etl, dwh_bi;

create view stg.open_transactions as
select kind, who, since, detail
from stg.see_transactions();
comment on view stg.open_transactions is 'One row = a transaction of this database that is open or prepared, or a replication slot that nobody uses';
comment on column stg.open_transactions.kind is 'session, prepared or slot';
comment on column stg.open_transactions.who is 'The role, or the name of the slot';
comment on column stg.open_transactions.since is 'When it began; NULL = the server does not know';
comment on column stg.open_transactions.detail is 'By what it is found, in words';
grant select on stg.open_transactions to dwh_etl;

create view cdm.v_open_transactions with (security_barrier) as
select
    kind,
    count(*) as transactions,
    min(since) as since,
    extract(epoch from now() - min(since))::double precision as age_s
from stg.open_transactions
group by kind;
comment on view cdm.v_open_transactions is 'One row = a kind of what keeps dead rows from being removed, and the oldest of it';
comment on column cdm.v_open_transactions.kind is 'session, prepared (a prepared transaction) or slot (a replication slot that nobody uses)';
comment on column cdm.v_open_transactions.transactions is 'How many there are, the one that asks included';
comment on column cdm.v_open_transactions.since is 'When the oldest began';
comment on column cdm.v_open_transactions.age_s is 'Seconds since then';

grant select on cdm.v_laws, cdm.v_lost_messages, cdm.v_open_transactions to dwh_bi, dwh_etl;
