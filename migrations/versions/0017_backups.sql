create table stg.backups (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('dump', 'restore')),
    stamp text not null,
    seconds double precision not null,
    bytes bigint,
    messages bigint,
    is_good boolean not null,
    detail text not null,
    finished_dt timestamptz not null default clock_timestamp()
);
comment on table stg.backups is 'Each try of a dump, and of a restore into a scratch database; deploy/backup.py writes it as the owner';
comment on column stg.backups.id is 'In the order in which they ended';
comment on column stg.backups.kind is 'dump, or restore: the newest dump brought into a scratch database and judged there';
comment on column stg.backups.stamp is 'The moment in the names of the dump''s files';
comment on column stg.backups.seconds is 'How long the try took';
comment on column stg.backups.bytes is 'Size of the dump''s files; NULL where there are none';
comment on column stg.backups.messages is 'Rows of stg.order_event_log in the dump; NULL where it was not seen';
comment on column stg.backups.is_good is 'A dump: all databases, whole and where they are to be. A restore: whole, and no law broken';
comment on column stg.backups.detail is 'What was wrong; empty where nothing was';
comment on column stg.backups.finished_dt is 'When the try ended, by the server''s clock';

create view cdm.v_backups with (security_barrier) as
select
    dumps.good_dt as dump_dt,
    extract(epoch from now() - dumps.good_dt)::double precision as dump_age_s,
    dump.detail as dump_failure,
    restores.good_dt as restore_dt,
    extract(epoch from now() - restores.good_dt)::double precision as restore_age_s,
    restore.detail as restore_failure
from (
    select max(finished_dt) filter (where is_good) as good_dt, max(id) as newest
    from stg.backups
    where kind = 'dump'
) as dumps
left join stg.backups as dump on dumps.newest = dump.id and not dump.is_good
cross join (
    select max(finished_dt) filter (where is_good) as good_dt, max(id) as newest
    from stg.backups
    where kind = 'restore'
) as restores
left join stg.backups as restore on restores.newest = restore.id and not restore.is_good;
comment on view cdm.v_backups is 'How old the last good dump is, and the last one that was restored as a test';
comment on column cdm.v_backups.dump_dt is 'When the last good dump was done; NULL = there was none';
comment on column cdm.v_backups.dump_age_s is 'Seconds since then';
comment on column cdm.v_backups.dump_failure is 'What was wrong with the newest try of a dump; NULL = nothing';
comment on column cdm.v_backups.restore_dt is 'When a dump was last restored as a test and found good; NULL = never';
comment on column cdm.v_backups.restore_age_s is 'Seconds since then';
comment on column cdm.v_backups.restore_failure is 'What was wrong at the newest test restore; NULL = nothing';

grant select on stg.backups to dwh_etl;
grant select on cdm.v_backups to dwh_etl, dwh_bi;
