-- Whoever asks about one guest is written down: who, when, about whom by a hash. The page and the command write by a function, and no
-- role of theirs can read, change or delete what is written.

create table stg.guest_looks (
    id bigint generated always as identity primary key,
    looked_dt timestamptz not null default clock_timestamp(),
    looked_by varchar not null,
    subject_hash bytea not null,
    tag varchar
);
comment on table stg.guest_looks is 'One row = somebody has looked at what the warehouse knows of a guest';
comment on column stg.guest_looks.id is 'Serial number';
comment on column stg.guest_looks.looked_dt is 'When';
comment on column stg.guest_looks.looked_by is 'Who: the name in Airflow or, of the command, of the system''s account';
comment on column stg.guest_looks.subject_hash is 'At whom: SHA-256 of the secret of stg.guest_look_key and the guest''s id';
comment on column stg.guest_looks.tag is 'Which tag they asked about; NULL = all';

create table stg.guest_look_key (
    is_only boolean primary key default true check (is_only),
    secret bytea not null
);
comment on table stg.guest_look_key is 'One row = the secret that makes hashes of guests who were looked at; the owner alone may read it';
comment on column stg.guest_look_key.is_only is 'There is one';
comment on column stg.guest_look_key.secret is 'Made at random at the first look';

create function stg.note_look(guest text, by_whom text, of_tag text) returns void
language sql security definer
set search_path = ''
as $$
insert into stg.guest_look_key (secret)
select sha256(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
on conflict do nothing;

insert into stg.guest_looks (looked_by, subject_hash, tag)
select by_whom, sha256(key.secret || convert_to(guest, 'UTF8')), of_tag
from stg.guest_look_key as key
$$;
comment on function stg.note_look is 'Writes down that somebody looks at a guest, by the app''s own id: pass it as a parameter';

create function stg.looks_at(guest text) returns table (looked_dt timestamptz, looked_by varchar, tag varchar)
language sql stable
set search_path = ''
as $$
select looks.looked_dt, looks.looked_by, looks.tag
from stg.guest_looks as looks
cross join stg.guest_look_key as key
where looks.subject_hash = sha256(key.secret || convert_to(guest, 'UTF8'))
order by looks.looked_dt asc
$$;
comment on function stg.looks_at is 'Who has looked at a guest, for the owner: when the guest asks';

revoke all on function stg.note_look(text, text, text) from public;
revoke all on function stg.looks_at(text) from public;
grant usage on schema stg to dwh_page;
grant execute on function stg.note_look(text, text, text) to dwh_page;
