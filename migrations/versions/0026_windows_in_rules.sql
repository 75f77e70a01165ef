-- A rule is a draft, in force or retired, and may have a window, an exit threshold and a comment. Rules as they are keep their
-- versions, and nothing is judged anew: the triggers sleep meanwhile.
alter table cdm.tag_rules disable trigger user;
alter table cdm.tag_rules
add column status varchar not null default 'active',
add column window_days integer,
add column exit_threshold integer,
add column comment varchar not null default '';
update cdm.tag_rules set status = 'retired'
where not active;
alter table cdm.tag_rules enable trigger user;
alter table cdm.tag_rules
add constraint tag_rules_status_check check (status in ('draft', 'active', 'retired') and active = (status = 'active')),
add constraint tag_rules_window_days_check check (window_days between 1 and 3660),
add constraint tag_rules_exit_threshold_check check (exit_threshold between 0 and threshold);
create unique index tag_rules_draft_tag on cdm.tag_rules (tag) where status = 'draft';
comment on column cdm.tag_rules.active is
'Whether the rule is in force: status = ''active''. Either may be written, the database keeps them in step';
comment on column cdm.tag_rules.status is
'draft: is rehearsed, judges nobody. active: in force; one a tag, and one draft beside it. retired: no longer';
comment on column cdm.tag_rules.window_days is
'An order counts for so many days of 24 h from the moment it became CLOSED; NULL = for ever';
comment on column cdm.tag_rules.exit_threshold is
'Who has the tag keeps it until no more than so many orders count; NULL = the threshold';
comment on column cdm.tag_rules.comment is 'What people should know of the rule; may be empty';
comment on column cdm.tag_rules.changed_by is
'Set by the database: who changed the rule last, as the setting dwh.changed_by says; the role where nobody says';

alter table cdm.tag_rule_versions
add column status varchar,
add column window_days integer,
add column exit_threshold integer,
add column comment varchar not null default '';
update cdm.tag_rule_versions set status = case when active then 'active' else 'retired' end;
alter table cdm.tag_rule_versions
alter column status set not null,
add constraint tag_rule_versions_status_check check (status in ('draft', 'active', 'retired') and active = (status = 'active'));
comment on column cdm.tag_rule_versions.status is
'draft, active or retired, as of this version; a rule that is deleted ends in one that is retired';
comment on column cdm.tag_rule_versions.window_days is 'Window of this version; NULL = none';
comment on column cdm.tag_rule_versions.exit_threshold is 'Exit threshold of this version; NULL = the threshold';
comment on column cdm.tag_rule_versions.comment is 'Comment of this version';
comment on column cdm.tag_rule_versions.changed_by is 'Who made the change; NULL where it was made before this table was';

create function cdm.folded_tag(tag text) returns text
language sql immutable parallel safe
return lower(normalize(regexp_replace(normalize(tag, nfkc), '\s', '', 'g'), nfkc));
comment on function cdm.folded_tag(text) is
'What two names of tags have in common that people take for one: without case, blanks and Unicode form';

create function cdm.who_changes() returns text
language sql stable
return coalesce(nullif(current_setting('dwh.changed_by', true), ''), session_user::text);
comment on function cdm.who_changes() is
'Who changes a rule: the person whom the setting dwh.changed_by names, else the role of the session';

-- Says what is allowed before a constraint would say only that something is not.
create or replace function cdm.stamp_tag_rule() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    other text;
begin
    if tg_op = 'INSERT' then
        if new.status = 'active' and not new.active then
            new.status := 'retired';
        end if;
    elsif new.status = old.status and new.active <> old.active then
        new.status := case when new.active then 'active' else 'retired' end;
    end if;
    new.active := new.status = 'active';

    if new.status not in ('draft', 'active', 'retired') then
        raise exception 'rule of %%: status must be draft, active or retired, not %%', new.tag, new.status
        using errcode = 'check_violation';
    end if;
    if new.window_days not between 1 and 3660 then
        raise exception 'rule of %%: window_days must be from 1 to 3660, or empty, not %%', new.tag, new.window_days
        using errcode = 'check_violation';
    end if;
    if new.exit_threshold not between 0 and new.threshold then
        raise exception 'rule of %%: exit_threshold must be from 0 to the threshold, which is %%, or empty, not %%',
            new.tag, new.threshold, new.exit_threshold
        using errcode = 'check_violation';
    end if;

    if tg_op = 'UPDATE' then
        if (new.tag, new.category_name, new.threshold, new.window_days, new.exit_threshold, new.status, new.comment)
            is not distinct from
            (old.tag, old.category_name, old.threshold, old.window_days, old.exit_threshold, old.status, old.comment)
        then
            return old;
        end if;
        if old.status = 'active' and new.status = 'active' and new.category_name <> old.category_name then
            raise exception 'rule of %%: the category of a rule in force stays %%; for %% make a new tag, or retire the rule first',
                new.tag, old.category_name, new.category_name
            using errcode = 'check_violation';
        end if;
    end if;

    if not exists (select 1 from cdm.tag_rule_versions as known where known.tag = new.tag) then
        if new.tag ~ '[A-Za-z\u00C0-\u024F]' and new.tag ~ '[\u0400-\u052F]' then
            raise exception 'tag %%: its name mixes Latin and Cyrillic letters, which look alike; use one alphabet', new.tag
            using errcode = 'check_violation';
        end if;
        select min(known.tag) into other
        from cdm.tag_rule_versions as known
        where cdm.folded_tag(known.tag) = cdm.folded_tag(new.tag);
        if other is not null then
            raise exception 'tag %%: differs from the tag %% only by case, blanks or Unicode form; use that name, or another',
                new.tag, other
            using errcode = 'check_violation';
        end if;
    end if;

    new.version := 1 + greatest(
        (select max(known.version) from cdm.tag_rule_versions as known where known.tag = new.tag),
        (select max(rule.version) from cdm.tag_rules as rule where rule.tag = new.tag),
        0
    );
    new.changed_by := cdm.who_changes();
    new.changed_dt := clock_timestamp();
    return new;
end
$$;
comment on function cdm.stamp_tag_rule() is
'Refuses rules that must not be, keeps status and active in step, numbers the tag''s versions, writes down who and when';

create or replace function cdm.keep_tag_rule_version() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'UPDATE' and new.version = old.version and new.tag = old.tag then
        return null;
    end if;
    -- A draft was never in force: nothing ends with it.
    if (tg_op = 'DELETE' and old.status <> 'draft') or (tg_op = 'UPDATE' and new.tag <> old.tag) then
        insert into cdm.tag_rule_versions (
            tag, version, category_name, threshold, window_days, exit_threshold, active, status, comment, changed_by, changed_dt
        )
        select
            old.tag, 1 + max(known.version), old.category_name, old.threshold, old.window_days, old.exit_threshold, false,
            'retired', old.comment, cdm.who_changes(), clock_timestamp()
        from cdm.tag_rule_versions as known
        where known.tag = old.tag;
    end if;
    if tg_op <> 'DELETE' then
        insert into cdm.tag_rule_versions (
            tag, version, category_name, threshold, window_days, exit_threshold, active, status, comment, changed_by, changed_dt
        )
        values (
            new.tag, new.version, new.category_name, new.threshold, new.window_days, new.exit_threshold, new.active,
            new.status, new.comment, new.changed_by, new.changed_dt
        );
    end if;
    return null;
end
$$;
comment on function cdm.keep_tag_rule_version() is
'Writes each version of a rule into the history; one that is deleted, unless a draft, or renamed to another tag, ends as retired';

create function cdm.refuse_to_rewrite() returns trigger
language plpgsql as $$
begin
    raise exception '%%.%% is append-only: write a new version of the rule instead', tg_table_schema, tg_table_name;
end
$$;
comment on function cdm.refuse_to_rewrite() is 'Keeps the history of rules as it was written';
create trigger refuse_to_rewrite before update or delete on cdm.tag_rule_versions
for each row execute function cdm.refuse_to_rewrite();

-- A draft judges nobody.
create or replace function cdm.queue_tag_rule() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'TRUNCATE' then
        insert into cdm.rule_queue (tag) select distinct rule.tag from cdm.tag_rules as rule;
        return null;
    end if;
    if tg_op <> 'INSERT' and (old.status <> 'draft' or (tg_op = 'UPDATE' and new.status <> 'draft')) then
        insert into cdm.rule_queue (tag) values (old.tag);
    end if;
    if (tg_op = 'INSERT' and new.status <> 'draft') or (tg_op = 'UPDATE' and new.tag <> old.tag and new.status <> 'draft') then
        insert into cdm.rule_queue (tag) values (new.tag);
    end if;
    return null;
end
$$;

create view cdm.v_rules with (security_barrier) as
select
    known.tag,
    known.version,
    known.status,
    known.category_name,
    known.threshold,
    known.window_days,
    known.exit_threshold,
    known.comment,
    known.changed_by,
    known.changed_dt,
    rule.id is not null as is_current,
    rule.id is not null and rule.status <> 'draft' and exists (
        select 1
        from cdm.rule_queue as queue
        where queue.tag = rule.tag
    ) as is_waiting
from cdm.tag_rule_versions as known
left join cdm.tag_rules as rule
    on
        known.tag = rule.tag
        and known.version = rule.version;
comment on view cdm.v_rules is
'One row = a version that a rule of a tag has had. The rule in force: is_current and status active; its draft: is_current and status draft';
comment on column cdm.v_rules.tag is 'The tag';
comment on column cdm.v_rules.version is 'Number of the version, from 1 on; each change of a rule or draft of the tag is the next';
comment on column cdm.v_rules.status is 'draft, active or retired, as of this version';
comment on column cdm.v_rules.category_name is 'Category whose orders count';
comment on column cdm.v_rules.threshold is 'So many orders do not yet suffice: with 5, the sixth gives the tag';
comment on column cdm.v_rules.window_days is 'An order counts for so many days; NULL = for ever';
comment on column cdm.v_rules.exit_threshold is
'Who has the tag keeps it until no more than so many orders count; NULL = the threshold';
comment on column cdm.v_rules.comment is 'What people should know of it';
comment on column cdm.v_rules.changed_by is 'Who made it; NULL = nobody knows any more';
comment on column cdm.v_rules.changed_dt is 'When it was made; NULL as changed_by';
comment on column cdm.v_rules.is_current is 'Whether it is how a rule or a draft of the tag is now, not how one was';
comment on column cdm.v_rules.is_waiting is
'Whether the next run of the marts brings it into force, or takes it out of force: guests are tagged as by the version before';
revoke all on cdm.v_rules from dwh_bi;
grant select on cdm.v_rules to dwh_bi, dwh_etl;
