-- What a guest can be reached by. Documents that are there already have theirs after a rebuild of STG by the rules of today.
alter table stg.reference_log add column phone text, add column email text;
comment on column stg.reference_log.phone is 'Phone of the guest, as the document has it';
comment on column stg.reference_log.email is 'E-mail of the guest, as the document has it';
alter table stg.judged_references add column phone text, add column email text;
comment on column stg.judged_references.phone is 'As in stg.reference_log';
comment on column stg.judged_references.email is 'As in stg.reference_log';

create table dds.s_user_contacts (
    hk_user_contacts_pk uuid primary key,
    h_user_pk uuid not null references dds.h_user (h_user_pk),
    phone varchar,
    email varchar,
    effective_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
create unique index s_user_contacts_version on dds.s_user_contacts (h_user_pk, effective_dttm, value_hash);
comment on table dds.s_user_contacts is
'Satellite, contacts of a guest: one row = a change, the first one included. In force is the last by (effective_dttm, value_hash)';
comment on column dds.s_user_contacts.hk_user_contacts_pk is 'dds.hash_key(parent key, value_hash)';
comment on column dds.s_user_contacts.h_user_pk is 'The user';
comment on column dds.s_user_contacts.phone is 'Phone, as the document has it';
comment on column dds.s_user_contacts.email is 'E-mail, as the document has it';
comment on column dds.s_user_contacts.effective_dttm is 'Business time at which the row became true';
comment on column dds.s_user_contacts.value_hash is 'The document in STG that says so: breaks ties that are left';
comment on column dds.s_user_contacts.load_dt is 'When the row was loaded';
comment on column dds.s_user_contacts.load_src is 'Where it came from: redis';

create view dds.current_user_contacts as
select distinct on (h_user_pk) *  -- noqa: AM04
from dds.s_user_contacts
order by h_user_pk asc, effective_dttm desc, value_hash desc;
comment on view dds.current_user_contacts is 'One row = a guest who has or had contacts: phone and e-mail now';

grant select, insert on dds.s_user_contacts to dwh_etl;
grant select on dds.current_user_contacts to dwh_etl;
