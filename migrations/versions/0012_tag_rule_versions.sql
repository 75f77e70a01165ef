create table cdm.tag_rule_versions (
    tag varchar not null,
    version integer not null,
    category_name varchar not null,
    threshold integer not null,
    active boolean not null,
    changed_by varchar,
    changed_dt timestamptz,
    primary key (tag, version)
);
comment on table cdm.tag_rule_versions is 'One row = a version that a rule of a tag has had, those of deleted rules too; append-only, written by the triggers of cdm.tag_rules';
comment on column cdm.tag_rule_versions.tag is 'Name of the tag';
comment on column cdm.tag_rule_versions.version is 'Number of the version; a tag never has the same twice, also when its rule is deleted and written again';
comment on column cdm.tag_rule_versions.category_name is 'Category of this version';
comment on column cdm.tag_rule_versions.threshold is 'Threshold of this version';
comment on column cdm.tag_rule_versions.active is 'Whether this version was in force; false where the rule was switched off or deleted';
comment on column cdm.tag_rule_versions.changed_by is 'Role that made the change; NULL where it was made before this table was';
comment on column cdm.tag_rule_versions.changed_dt is 'When it was made; NULL as changed_by';

-- What is known of the versions so far: the rules as they stand, and those that events and tags bear witness to.
insert into cdm.tag_rule_versions (tag, version, category_name, threshold, active, changed_by, changed_dt)
select
    tag,
    version,
    category_name,
    threshold,
    active,
    changed_by,
    changed_dt
from cdm.tag_rules
on conflict do nothing;

insert into cdm.tag_rule_versions (tag, version, category_name, threshold, active)
select distinct on (tag, rule_version)
    tag,
    rule_version,
    category_name,
    threshold,
    true
from cdm.tag_events
order by tag asc, rule_version asc, id desc
on conflict do nothing;

-- Also by the rules: of several that one statement writes the history has none yet.
create or replace function cdm.stamp_tag_rule() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'UPDATE'
        and (new.tag, new.category_name, new.threshold, new.active)
            is not distinct from (old.tag, old.category_name, old.threshold, old.active)
    then
        return old;
    end if;
    new.version := 1 + greatest(
        (select max(version) from cdm.tag_rule_versions where tag = new.tag),
        (select max(version) from cdm.tag_rules where tag = new.tag),
        0
    );
    new.changed_by := session_user;
    new.changed_dt := clock_timestamp();
    return new;
end
$$;
comment on function cdm.stamp_tag_rule() is 'Numbers the versions of a tag''s rules, from all that the tag has ever had on, and writes down who and when';

-- Security definer: whoever may change a rule need not know of the history.
create function cdm.keep_tag_rule_version() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'UPDATE' and new.version = old.version and new.tag = old.tag then
        return null;
    end if;
    if tg_op <> 'INSERT' and (tg_op = 'DELETE' or new.tag <> old.tag) then
        insert into cdm.tag_rule_versions (tag, version, category_name, threshold, active, changed_by, changed_dt)
        select old.tag, 1 + max(version), old.category_name, old.threshold, false, session_user, clock_timestamp()
        from cdm.tag_rule_versions
        where tag = old.tag;
    end if;
    if tg_op <> 'DELETE' then
        insert into cdm.tag_rule_versions (tag, version, category_name, threshold, active, changed_by, changed_dt)
        values (new.tag, new.version, new.category_name, new.threshold, new.active, new.changed_by, new.changed_dt);
    end if;
    return null;
end
$$;
comment on function cdm.keep_tag_rule_version() is 'Writes each version of a rule into the history; a rule that is deleted, or renamed to another tag, ends in one that is off';
create trigger keep_tag_rule_version after insert or update or delete on cdm.tag_rules
for each row execute function cdm.keep_tag_rule_version();

grant select on cdm.tag_rule_versions to dwh_etl;
