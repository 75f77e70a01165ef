-- Tags of rules with a window or an exit threshold are judged as of a moment, and come and go by time alone.
create table cdm.tag_clock (
    is_only boolean primary key default true check (is_only),
    as_of timestamptz not null
);
comment on table cdm.tag_clock is 'One row: the moment as of which the tags stand. No run goes back behind it';
comment on column cdm.tag_clock.is_only is 'Key of the only row';
comment on column cdm.tag_clock.as_of is 'All that was sent before it has been judged, and what was to leave by then has left';

create table cdm.guest_due (
    user_id uuid primary key,
    due_dt timestamptz not null
) with (fillfactor = 90);
create index guest_due_due_dt on cdm.guest_due (due_dt);
comment on table cdm.guest_due is
'One row = a guest whom time alone changes next: a run queues those whose moment has come';
comment on column cdm.guest_due.user_id is 'Guest: dds.h_user.h_user_pk';
comment on column cdm.guest_due.due_dt is
'The first moment at which an order stops counting for a tag that they carry, or a version that is dated ahead begins';

alter table cdm.rule_queue add column version_before integer;
comment on column cdm.rule_queue.version_before is 'The version of the rule that was in force before the change; NULL: none was';

alter table cdm.user_tags
add column window_days integer,
add column exit_threshold integer,
add column leaves_dt timestamptz,
add column since_dt timestamptz;
comment on column cdm.user_tags.order_cnt is
'How many orders count: the guest''s counter of the category; of a rule with window or exit threshold those as of cdm.tag_clock';
comment on column cdm.user_tags.window_days is 'Window of the rule in force; NULL = none';
comment on column cdm.user_tags.exit_threshold is 'Exit threshold of the rule in force; NULL = none of its own';
comment on column cdm.user_tags.leaves_dt is 'When the tag ends if nothing more happens; NULL without a window';
comment on column cdm.user_tags.since_dt is
'Since when, by the orders'' own times and all that is known now; NULL without window and exit threshold';

alter table cdm.tag_events
add column reason varchar check (reason in ('orders', 'time', 'rule', 'retired', 'correction')),
add column effective_dt timestamptz,
add column as_of timestamptz,
add column window_days integer,
add column exit_threshold integer,
add column order_ids bigint[],
add column trigger_order_id bigint,
add column compensates bigint;
comment on column cdm.tag_events.reason is
'retired (no rule is in force), rule (it has changed), time (an order stopped counting), orders, correction (a menu); NULL: not kept then';
comment on column cdm.tag_events.effective_dt is
'When it came to it, by the orders'' own times; of rule and retired as_of; NULL as reason';
comment on column cdm.tag_events.as_of is 'The moment as of which the run judged; NULL as reason';
comment on column cdm.tag_events.window_days is 'Window of that rule; NULL = none';
comment on column cdm.tag_events.exit_threshold is 'Exit threshold of that rule; NULL = none of its own';
comment on column cdm.tag_events.order_ids is 'The orders that counted, newest first, at most 100 of order_cnt; NULL as reason';
comment on column cdm.tag_events.trigger_order_id is 'The order that tipped it, if one did';
comment on column cdm.tag_events.compensates is
'cdm.tag_events.id of the event that should not have been: by a rule, a menu, or a rule that is retired';

create or replace function cdm.queue_tag_rule() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'TRUNCATE' then
        insert into cdm.rule_queue (tag, version_before)
        select rule.tag, max(rule.version) filter (where rule.active) from cdm.tag_rules as rule group by rule.tag;
        return null;
    end if;
    if tg_op <> 'INSERT' and (old.status <> 'draft' or (tg_op = 'UPDATE' and new.status <> 'draft')) then
        insert into cdm.rule_queue (tag, version_before) values (old.tag, case when old.active then old.version end);
    end if;
    if (tg_op = 'INSERT' and new.status <> 'draft') or (tg_op = 'UPDATE' and new.tag <> old.tag and new.status <> 'draft') then
        insert into cdm.rule_queue (tag) values (new.tag);
    end if;
    return null;
end
$$;

grant select, insert, update on cdm.tag_clock to dwh_etl;
grant select, insert, update, delete on cdm.guest_due to dwh_etl;

create view dds.closed_intervals as
select
    h_order_pk,
    effective_dttm as from_dt,
    until_dttm as to_dt
from (
    select
        *,
        lead(effective_dttm) over (
            partition by h_order_pk
            order by effective_dttm asc, sent_dttm asc, value_hash asc
        ) as until_dttm
    from (
        select
            *,
            lag(status = 'CLOSED', 1, false) over (
                partition by h_order_pk
                order by effective_dttm asc, sent_dttm asc, value_hash asc
            ) as was_closed
        from dds.s_order_status
    ) as version
    where (status = 'CLOSED') <> was_closed
) as change
where
    status = 'CLOSED'
    and until_dttm is distinct from effective_dttm;
comment on view dds.closed_intervals is 'One row = a time in which an order was CLOSED without a break. To be looked up by order';
comment on column dds.closed_intervals.h_order_pk is 'The order';
comment on column dds.closed_intervals.from_dt is 'When the first version of the run of CLOSED ones became true';
comment on column dds.closed_intervals.to_dt is 'When the next other version became true; NULL: it is CLOSED still';
grant select on dds.closed_intervals to dwh_etl;
