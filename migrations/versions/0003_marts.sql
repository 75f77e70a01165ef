create schema cdm;
comment on schema cdm is 'Marts: order counters of the guests, tag rules, tags. Readers see them change once a run, whole';

create table cdm.user_product_counters (
    id bigint generated always as identity primary key,
    user_id uuid not null,
    product_id uuid not null,
    product_name varchar not null,
    order_cnt integer not null check (order_cnt > 0),
    unique (user_id, product_id)
) with (fillfactor = 90);
comment on table cdm.user_product_counters is 'One row = a guest and a dish: in how many CLOSED orders of the guest the dish now stands';
comment on column cdm.user_product_counters.id is 'Serial number';
comment on column cdm.user_product_counters.user_id is 'Guest: dds.h_user.h_user_pk';
comment on column cdm.user_product_counters.product_id is 'Dish: dds.h_product.h_product_pk';
comment on column cdm.user_product_counters.product_name is 'Name of the dish by the newest menu; by the newest order while no menu has it; empty when nobody named it';
comment on column cdm.user_product_counters.order_cnt is 'Distinct CLOSED orders, not lines and not quantities';

create table cdm.user_category_counters (
    id bigint generated always as identity primary key,
    user_id uuid not null,
    category_id uuid not null,
    category_name varchar not null,
    order_cnt integer not null check (order_cnt > 0),
    unique (user_id, category_id)
) with (fillfactor = 90);
create index user_category_counters_category_id on cdm.user_category_counters (category_id);
comment on table cdm.user_category_counters is 'One row = a guest and a category: in how many CLOSED orders of the guest a dish of the category now stands';
comment on column cdm.user_category_counters.id is 'Serial number';
comment on column cdm.user_category_counters.user_id is 'Guest: dds.h_user.h_user_pk';
comment on column cdm.user_category_counters.category_id is 'Category: dds.h_category.h_category_pk';
comment on column cdm.user_category_counters.category_name is 'Name of the category';
comment on column cdm.user_category_counters.order_cnt is 'Distinct CLOSED orders, not dishes, lines or quantities';

create table cdm.tag_rules (
    id bigint generated always as identity primary key,
    tag varchar not null check (tag <> ''),
    category_name varchar not null check (category_name <> ''),
    threshold integer not null check (threshold >= 0),
    active boolean not null default true,
    version integer not null,
    changed_by varchar not null,
    changed_dt timestamptz not null
);
create unique index tag_rules_active_tag on cdm.tag_rules (tag) where active;
comment on table cdm.tag_rules is 'Rules are data: a guest carries the tag while order_cnt of the category > threshold. "insert into cdm.tag_rules (tag, category_name, threshold)" suffices; the next run applies it';
comment on column cdm.tag_rules.id is 'Serial number';
comment on column cdm.tag_rules.tag is 'Name of the tag; unique among the active rules';
comment on column cdm.tag_rules.category_name is 'Category whose counter is compared, as the menus write it';
comment on column cdm.tag_rules.threshold is 'The counter must exceed it: with 5, the sixth order gives the tag';
comment on column cdm.tag_rules.active is 'Only active rules are in force';
comment on column cdm.tag_rules.version is 'Set by the database: grows with every change of a rule of this tag';
comment on column cdm.tag_rules.changed_by is 'Set by the database: role that changed the rule last';
comment on column cdm.tag_rules.changed_dt is 'Set by the database: when the rule was changed last';

create table cdm.rule_queue (
    id bigint generated always as identity primary key,
    tag varchar not null
);
comment on table cdm.rule_queue is 'Tags whose rule has changed and which must be judged anew for all guests; filled by the triggers of cdm.tag_rules';
comment on column cdm.rule_queue.id is 'Serial number';
comment on column cdm.rule_queue.tag is 'The tag';

create function cdm.stamp_tag_rule() returns trigger
language plpgsql as $$
begin
    if tg_op = 'UPDATE'
        and (new.tag, new.category_name, new.threshold, new.active)
            is not distinct from (old.tag, old.category_name, old.threshold, old.active)
    then
        return old;
    end if;
    new.version := 1 + coalesce((select max(version) from cdm.tag_rules where tag = new.tag), 0);
    new.changed_by := session_user;
    new.changed_dt := clock_timestamp();
    return new;
end
$$;
comment on function cdm.stamp_tag_rule() is 'Numbers the versions of a tag''s rules and writes down who and when';
create trigger stamp_tag_rule before insert or update on cdm.tag_rules
for each row execute function cdm.stamp_tag_rule();

-- Security definer: whoever may change a rule need not know of the queue.
create function cdm.queue_tag_rule() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'TRUNCATE' then
        insert into cdm.rule_queue (tag) select distinct tag from cdm.tag_rules;
        return null;
    end if;
    if tg_op <> 'INSERT' then
        insert into cdm.rule_queue (tag) values (old.tag);
    end if;
    if tg_op = 'INSERT' or (tg_op = 'UPDATE' and new.tag <> old.tag) then
        insert into cdm.rule_queue (tag) values (new.tag);
    end if;
    return null;
end
$$;
comment on function cdm.queue_tag_rule() is 'Tells the next run which tags must be judged anew';
create trigger queue_tag_rule after insert or update or delete on cdm.tag_rules
for each row execute function cdm.queue_tag_rule();
create trigger queue_all_tag_rules before truncate on cdm.tag_rules
for each statement execute function cdm.queue_tag_rule();

create table cdm.user_tags (
    user_id uuid not null,
    tag varchar not null,
    category_name varchar not null,
    order_cnt integer not null,
    threshold integer not null,
    rule_version integer not null,
    assigned_dt timestamptz not null,
    primary key (user_id, tag)
) with (fillfactor = 90);
create index user_tags_tag on cdm.user_tags (tag);
comment on table cdm.user_tags is 'One row = a guest carries a tag now';
comment on column cdm.user_tags.user_id is 'Guest: dds.h_user.h_user_pk';
comment on column cdm.user_tags.tag is 'The tag';
comment on column cdm.user_tags.category_name is 'Category of the rule';
comment on column cdm.user_tags.order_cnt is 'The guest''s counter of the category';
comment on column cdm.user_tags.threshold is 'Threshold of the rule in force';
comment on column cdm.user_tags.rule_version is 'Version of the rule in force';
comment on column cdm.user_tags.assigned_dt is 'Since when the guest carries it without a break';

create table cdm.tag_events (
    id bigint generated always as identity primary key,
    user_id uuid not null,
    tag varchar not null,
    event varchar not null check (event in ('assigned', 'revoked')),
    category_name varchar not null,
    order_cnt integer not null,
    threshold integer not null,
    rule_version integer not null,
    event_dt timestamptz not null
);
create index tag_events_user_id on cdm.tag_events (user_id, tag, id);
comment on table cdm.tag_events is 'History of the tags, append-only: one row = a guest got or lost a tag, with the evidence';
comment on column cdm.tag_events.id is 'Serial number: the order of the events';
comment on column cdm.tag_events.user_id is 'Guest: dds.h_user.h_user_pk';
comment on column cdm.tag_events.tag is 'The tag';
comment on column cdm.tag_events.event is 'assigned or revoked';
comment on column cdm.tag_events.category_name is 'Category of the rule';
comment on column cdm.tag_events.order_cnt is 'The guest''s counter of the category at that moment';
comment on column cdm.tag_events.threshold is 'Threshold it was compared with; of a rule no longer in force: the last one';
comment on column cdm.tag_events.rule_version is 'Version of that rule';
comment on column cdm.tag_events.event_dt is 'When the run decided it';
