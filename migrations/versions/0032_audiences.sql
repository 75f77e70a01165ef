-- Lists of guests that leave for a channel (an advertising platform, a mailing), by their tags: docs/audiences.md.

-- Where a guest falls in a draw of 10,000: the same for the same salt, whatever else happens to them.
create function cdm.draw(salt text, guest_id text) returns integer
language sql immutable strict parallel safe
return (
    ('x' || encode(substr(sha256(convert_to(salt || ':' || guest_id, 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint * 10000 >> 32
)::integer;
comment on function cdm.draw is
'0 to 9999, evenly: the first 4 bytes of SHA-256 of salt:guest_id. In control are those below the percentage times 100';

-- The digits of a phone with the country's code; empty where nothing is written, NULL where it is no phone.
create function cdm.phone_digits(written text) returns text
language sql immutable strict parallel safe
return (
    select
        case
            when written ~ '^\s*$' then ''
            when digits ~ '^8[0-9]{10}$' then '7' || substr(digits, 2)
            when digits ~ '^9[0-9]{9}$' then '7' || digits
            when digits ~ '^[0-9]{11,15}$' then digits
        end
    from regexp_replace(written, '[^0-9]', '', 'g') as digits
);
comment on function cdm.phone_digits is
'8 999 123-45-67 is 79991234567, and so is it without the 8. Empty where nothing is written, NULL where it is no phone';

-- An e-mail as platforms compare it; empty where nothing is written, NULL where it is none.
create function cdm.email_plain(written text, without_dots boolean) returns text
language sql immutable strict parallel safe
return (
    select
        case
            when plain = '' then ''
            when plain !~ '^[!-?A-~]+@[!-?A-~]+$' then null
            when without_dots and plain ~ '@(gmail|googlemail)\.com$'
                then replace(split_part(plain, '@', 1), '.', '') || '@' || split_part(plain, '@', 2)
            else plain
        end
    from lower(regexp_replace(written, '^\s+|\s+$', '', 'g')) as plain
);
comment on function cdm.email_plain is
'Without blanks, in lower case; without_dots: those of gmail, too. Empty where nothing is written, NULL where it is no e-mail';

create table cdm.audiences (
    audience varchar primary key check (audience ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    channel varchar not null check (channel <> '' and channel <> '*'),
    include_tags varchar[] not null check (cardinality(include_tags) > 0),
    exclude_tags varchar[] not null,
    identifier varchar not null check (
        identifier in ('guest_id', 'login_hmac', 'phone_sha256', 'email_sha256', 'phone_md5')
    ),
    format varchar not null check (format in ('own', 'yandex', 'mytarget', 'google', 'meta')),
    control_percent numeric(4, 2) not null check (control_percent >= 0),
    salt varchar not null check (salt <> ''),
    requires_consent boolean not null,
    min_rows integer not null check (min_rows >= 0),
    max_change_percent integer not null default 30 check (max_change_percent between 1 and 100),
    status varchar not null check (status in ('active', 'retired'))
);
comment on table cdm.audiences is 'One row = a list of guests that is handed over to a channel. config/audiences.yaml says which there are';
comment on column cdm.audiences.audience is 'Its name, and that of its folder';
comment on column cdm.audiences.channel is 'To whom it goes; suppressions and consents are of a channel';
comment on column cdm.audiences.include_tags is 'Its guests carry all of these';
comment on column cdm.audiences.exclude_tags is 'and none of these';
comment on column cdm.audiences.identifier is 'What stands in the files for a guest';
comment on column cdm.audiences.format is 'How the channel wants phones and e-mails written before they are hashed, and the files';
comment on column cdm.audiences.control_percent is 'So many percent are held back, to be compared with. Locked by the first export';
comment on column cdm.audiences.salt is 'Decides who these are: the same salt, the same guests. Locked by the first export';
comment on column cdm.audiences.requires_consent is 'Only guests go who have consented to the channel';
comment on column cdm.audiences.min_rows is 'Fewer new ones wait until there are more';
comment on column cdm.audiences.max_change_percent is
'If more come or go at once, the export is held for somebody to approve (from 100 members on)';
comment on column cdm.audiences.status is 'active, or retired: nobody is wanted any more';

create table cdm.audience_exports (
    audience varchar not null references cdm.audiences (audience),
    seq integer not null check (seq > 0),
    mode varchar not null check (mode in ('diff', 'full')),
    status varchar not null check (status in ('planned', 'held', 'waiting', 'published')),
    as_of timestamptz not null,
    planned_dt timestamptz not null,
    adds bigint not null,
    removes bigint not null,
    members_after bigint not null,
    skipped jsonb not null,
    plan_hash varchar not null,
    planned_by varchar not null,
    published_dt timestamptz check ((published_dt is not null) = (status = 'published')),
    files_deleted_dt timestamptz,
    primary key (audience, seq)
);
comment on table cdm.audience_exports is
'One row = an export of an audience: what has gone, what is on its way (planned), and what is not let go yet (held, waiting)';
comment on column cdm.audience_exports.audience is 'The audience';
comment on column cdm.audience_exports.seq is 'Its number within the audience, without gaps; whoever reads the files applies them by it';
comment on column cdm.audience_exports.mode is 'diff: what has changed since the last; full: everybody anew';
comment on column cdm.audience_exports.status is
'planned: the manifest is not there yet; held: for somebody to approve; waiting: for min_rows; published: it is out';
comment on column cdm.audience_exports.as_of is 'As of when the tags stood';
comment on column cdm.audience_exports.planned_dt is 'When it was planned: the suppressions and consents of then count';
comment on column cdm.audience_exports.adds is 'Identifiers in add.csv';
comment on column cdm.audience_exports.removes is 'Identifiers in remove.csv';
comment on column cdm.audience_exports.members_after is 'Identifiers at the channel once both are applied';
comment on column cdm.audience_exports.skipped is 'Guests with the tags who do not go, by the first reason that fits';
comment on column cdm.audience_exports.plan_hash is 'SHA-256 of all its identifiers: what is approved is what goes';
comment on column cdm.audience_exports.planned_by is 'Who has started the run';
comment on column cdm.audience_exports.published_dt is 'When the manifest was there';
comment on column cdm.audience_exports.files_deleted_dt is 'When its files were deleted';

create table cdm.audience_export_rows (
    audience varchar not null,
    seq integer not null,
    op varchar not null check (op in ('add', 'remove')),
    identifier varchar not null,
    user_id uuid,
    primary key (audience, seq, op, identifier),
    foreign key (audience, seq) references cdm.audience_exports (audience, seq)
);
create index audience_export_rows_identifier on cdm.audience_export_rows (audience, identifier);
comment on table cdm.audience_export_rows is 'One row = a line of a file: an identifier that a channel is told to add or to remove';
comment on column cdm.audience_export_rows.audience is 'The audience';
comment on column cdm.audience_export_rows.seq is 'The export';
comment on column cdm.audience_export_rows.op is 'In which file: add or remove';
comment on column cdm.audience_export_rows.identifier is 'As it stands there';
comment on column cdm.audience_export_rows.user_id is 'The guest: dds.h_user.h_user_pk; one of them, where several share it';

create table cdm.audience_members (
    audience varchar not null references cdm.audiences (audience),
    user_id uuid not null,
    grp varchar not null check (grp in ('treatment', 'control')),
    identifiers varchar[] not null check ((grp = 'control') = (cardinality(identifiers) = 0)),
    since_seq integer,
    since_dt timestamptz not null,
    primary key (audience, user_id)
);
comment on table cdm.audience_members is 'One row = a guest at the channel (treatment), or held back from it (control)';
comment on column cdm.audience_members.audience is 'The audience';
comment on column cdm.audience_members.user_id is 'The guest: dds.h_user.h_user_pk';
comment on column cdm.audience_members.grp is 'treatment, or control: would be at the channel, and is kept from it to be compared with';
comment on column cdm.audience_members.identifiers is 'As delivered; one that guests share stands with each of them';
comment on column cdm.audience_members.since_seq is 'The export with which they came; NULL in control';
comment on column cdm.audience_members.since_dt is 'Since when they are in the group';

create table cdm.audience_member_changes (
    audience varchar not null references cdm.audiences (audience),
    user_id uuid not null,
    grp varchar,
    identifiers varchar[] not null,
    primary key (audience, user_id)
);
comment on table cdm.audience_member_changes is
'One row = what becomes of a guest in cdm.audience_members once the planned export is published';
comment on column cdm.audience_member_changes.audience is 'The audience';
comment on column cdm.audience_member_changes.user_id is 'The guest: dds.h_user.h_user_pk';
comment on column cdm.audience_member_changes.grp is 'As there; NULL: leaves';
comment on column cdm.audience_member_changes.identifiers is 'As there';

create table cdm.suppressions (
    id bigint generated always as identity primary key,
    kind varchar not null check (kind in ('guest', 'identifier')),
    value varchar not null,
    channel varchar not null,
    reason varchar not null,
    since timestamptz not null,
    until timestamptz check (until > since),
    made_by varchar not null,
    made_dt timestamptz not null,
    unique (kind, value, channel, since)
);
comment on table cdm.suppressions is 'One row = a guest or an identifier that must not go to a channel, from when to when';
comment on column cdm.suppressions.id is 'Serial number';
comment on column cdm.suppressions.kind is 'guest: value is their id; identifier: value is one as it stands in files';
comment on column cdm.suppressions.value is 'Who; a phone or an e-mail stands here by its hashes alone';
comment on column cdm.suppressions.channel is 'The channel; * = all';
comment on column cdm.suppressions.reason is 'Why: unsubscribed, complained ...';
comment on column cdm.suppressions.since is 'From when on';
comment on column cdm.suppressions.until is 'Until when; NULL = for ever';
comment on column cdm.suppressions.made_by is 'Who has said so: the file that it was read from';
comment on column cdm.suppressions.made_dt is 'When the warehouse has heard of it';

create table cdm.consents (
    guest_id varchar not null,
    channel varchar not null,
    granted_dt timestamptz not null,
    withdrawn_dt timestamptz check (withdrawn_dt > granted_dt),
    source varchar not null,
    primary key (guest_id, channel, granted_dt)
);
comment on table cdm.consents is 'One row = a consent of a guest to a channel, from when to when';
comment on column cdm.consents.guest_id is 'The guest: the app''s own id';
comment on column cdm.consents.channel is 'The channel; * = all';
comment on column cdm.consents.granted_dt is 'When it was given';
comment on column cdm.consents.withdrawn_dt is 'When it was withdrawn; NULL = it holds';
comment on column cdm.consents.source is 'Where that can be shown: a form, a contract';

-- Others would enter control who are at the channel already, or leave it who were kept from it: both spoil the comparison.
create function cdm.lock_audience() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    locked text := case
        when new.salt <> old.salt then 'salt'
        when new.control_percent <> old.control_percent then 'control_percent'
        when new.channel <> old.channel then 'channel'
    end;
begin
    if locked is not null and exists (
        select 1 from cdm.audience_exports where audience = old.audience and status in ('planned', 'published')
    ) then
        raise exception '%%', old.audience || ': ' || locked || ' stays as it is since export 1; for another one make another audience'
        using errcode = 'check_violation';
    end if;
    return new;
end;
$$;
comment on function cdm.lock_audience is 'Refuses another salt, control_percent or channel of an audience that has been exported';
create trigger lock_audience before update on cdm.audiences
for each row execute function cdm.lock_audience();

grant select, insert, update on cdm.audiences, cdm.consents to dwh_etl;
grant select, insert on cdm.suppressions to dwh_etl;
grant select, insert, update, delete on cdm.audience_exports, cdm.audience_members to dwh_etl;
grant select, insert, delete on cdm.audience_export_rows, cdm.audience_member_changes to dwh_etl;

create view cdm.v_audience_groups with (security_barrier) as
select
    members.audience,
    hub.user_id as guest_id,
    members.grp,
    members.since_dt as since
from cdm.audience_members as members
inner join dds.h_user as hub on members.user_id = hub.h_user_pk;
comment on view cdm.v_audience_groups is
'One row = a guest at a channel (treatment) or held back from it (control), to compare how they order';
comment on column cdm.v_audience_groups.audience is 'The audience';
comment on column cdm.v_audience_groups.guest_id is 'The guest, as the app names them';
comment on column cdm.v_audience_groups.grp is 'treatment or control';
comment on column cdm.v_audience_groups.since is 'Since when';

create view cdm.v_exports with (security_barrier) as
select
    audiences.audience,
    audiences.channel,
    audiences.include_tags,
    audiences.exclude_tags,
    audiences.identifier,
    audiences.format,
    audiences.control_percent,
    audiences.requires_consent,
    audiences.min_rows,
    audiences.max_change_percent,
    audiences.status as audience_status,
    exports.seq,
    exports.mode,
    exports.status,
    exports.as_of,
    exports.planned_dt,
    exports.adds,
    exports.removes,
    exports.members_after,
    exports.skipped,
    exports.plan_hash,
    exports.planned_by,
    exports.published_dt,
    exports.files_deleted_dt
from cdm.audiences as audiences
left join cdm.audience_exports as exports on audiences.audience = exports.audience;
comment on view cdm.v_exports is 'One row = an export of an audience; of an audience without one, what is known of it';
do $$
declare
    told record;
begin
    for told in
        select
            seen.attname as column_name,
            col_description(known.attrelid, known.attnum) as words
        from pg_attribute as seen
        inner join pg_attribute as known
            on
                known.attrelid = case
                    when seen.attnum <= 11 then 'cdm.audiences'::regclass
                    else 'cdm.audience_exports'::regclass
                end
                and known.attname = case seen.attname when 'audience_status' then 'status' else seen.attname end
        where seen.attrelid = 'cdm.v_exports'::regclass and seen.attnum > 0
    loop
        execute format('comment on column cdm.v_exports.%%I is %%L', told.column_name, told.words);
    end loop;
end;
$$;
grant select on cdm.v_audience_groups, cdm.v_exports to dwh_bi, dwh_etl;
