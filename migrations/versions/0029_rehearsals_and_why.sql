-- What a rule would do, by the orders that are there, as of any moment.
create table cdm.rehearsals (
    id bigint generated always as identity primary key,
    tag varchar not null,
    category_name varchar not null,
    threshold integer not null,
    window_days integer,
    exit_threshold integer,
    from_dt timestamptz not null,
    as_of timestamptz not null,
    zone varchar not null,
    guests bigint not null,
    would_enter bigint not null,
    would_leave bigint not null,
    kept_by_hysteresis bigint not null,
    flapping_guests bigint not null,
    most_entries integer not null,
    dated_ahead bigint not null,
    made_by varchar not null,
    made_dt timestamptz not null
);
comment on table cdm.rehearsals is 'One row = a rule was rehearsed: what it would do by the orders and menus of then. Changes no tag';
comment on column cdm.rehearsals.id is 'Serial number';
comment on column cdm.rehearsals.tag is 'The tag';
comment on column cdm.rehearsals.category_name is 'Category of the rule that was rehearsed';
comment on column cdm.rehearsals.threshold is 'Its threshold';
comment on column cdm.rehearsals.window_days is 'Its window; NULL = none';
comment on column cdm.rehearsals.exit_threshold is 'Its exit threshold; NULL = the threshold';
comment on column cdm.rehearsals.from_dt is 'Where the weeks begin';
comment on column cdm.rehearsals.as_of is 'As of when: what is dated later counts for nothing';
comment on column cdm.rehearsals.zone is 'The zone whose Mondays begin the weeks';
comment on column cdm.rehearsals.guests is 'Guests who would carry the tag';
comment on column cdm.rehearsals.would_enter is 'Of them, those who do not carry it now';
comment on column cdm.rehearsals.would_leave is 'Guests who carry it now and would not';
comment on column cdm.rehearsals.kept_by_hysteresis is 'Guests who would carry it by the exit threshold alone';
comment on column cdm.rehearsals.flapping_guests is 'Guests who would get it more than once between from_dt and as_of';
comment on column cdm.rehearsals.most_entries is 'How often the guest who gets it most often would get it in that time';
comment on column cdm.rehearsals.dated_ahead is 'Orders of these guests with a version that is dated later than as_of';
comment on column cdm.rehearsals.made_by is 'Who asked for it';
comment on column cdm.rehearsals.made_dt is 'When it was made';

create table cdm.rehearsal_weeks (
    rehearsal_id bigint not null references cdm.rehearsals (id) on delete cascade,
    week date not null,
    entries bigint not null,
    exits bigint not null,
    exits_by_time bigint not null,
    carried bigint not null,
    primary key (rehearsal_id, week)
);
comment on table cdm.rehearsal_weeks is 'One row = a week of a rehearsal';
comment on column cdm.rehearsal_weeks.rehearsal_id is 'The rehearsal: cdm.rehearsals.id';
comment on column cdm.rehearsal_weeks.week is 'Its Monday, in the zone of the rehearsal';
comment on column cdm.rehearsal_weeks.entries is 'How often guests would have got the tag';
comment on column cdm.rehearsal_weeks.exits is 'How often guests would have lost it';
comment on column cdm.rehearsal_weeks.exits_by_time is 'Of those, by time alone';
comment on column cdm.rehearsal_weeks.carried is 'Guests who would have carried it at the end of the week, or as_of';

create table cdm.rehearsal_overlaps (
    rehearsal_id bigint not null references cdm.rehearsals (id) on delete cascade,
    tag varchar not null,
    both_have bigint not null,
    only_draft bigint not null,
    only_tag bigint not null,
    primary key (rehearsal_id, tag)
);
comment on table cdm.rehearsal_overlaps is 'One row = a rehearsal and another tag that guests carry now: how many have both';
comment on column cdm.rehearsal_overlaps.rehearsal_id is 'The rehearsal: cdm.rehearsals.id';
comment on column cdm.rehearsal_overlaps.tag is 'The other tag';
comment on column cdm.rehearsal_overlaps.both_have is 'Guests who would carry the rehearsed one and carry this one';
comment on column cdm.rehearsal_overlaps.only_draft is 'Guests who would carry the rehearsed one and do not carry this one';
comment on column cdm.rehearsal_overlaps.only_tag is 'Guests who carry this one and would not carry the rehearsed one';

create table cdm.rehearsal_near (
    rehearsal_id bigint not null references cdm.rehearsals (id) on delete cascade,
    orders_missing integer not null check (orders_missing between 0 and 3),
    guests bigint not null,
    primary key (rehearsal_id, orders_missing)
);
comment on table cdm.rehearsal_near is 'One row = a rehearsal and how near guests with at least one order that counts are to the tag';
comment on column cdm.rehearsal_near.rehearsal_id is 'The rehearsal: cdm.rehearsals.id';
comment on column cdm.rehearsal_near.orders_missing is
'1 to 3: so many more orders give the tag. 0: carries it, and it ends within 7 days';
comment on column cdm.rehearsal_near.guests is 'Number of these guests';

grant select, insert on cdm.rehearsals, cdm.rehearsal_weeks, cdm.rehearsal_overlaps, cdm.rehearsal_near to dwh_etl;

create view cdm.v_rehearsal with (security_barrier) as
select
    id as rehearsal_id,
    tag,
    category_name,
    threshold,
    window_days,
    exit_threshold,
    from_dt,
    as_of,
    zone,
    guests,
    would_enter,
    would_leave,
    kept_by_hysteresis,
    flapping_guests,
    most_entries,
    dated_ahead,
    made_by,
    made_dt
from cdm.rehearsals;
create view cdm.v_rehearsal_weeks with (security_barrier) as
select
    rehearsal_id,
    week,
    entries,
    exits,
    exits_by_time,
    carried
from cdm.rehearsal_weeks;
create view cdm.v_rehearsal_overlaps with (security_barrier) as
select
    rehearsal_id,
    tag,
    both_have,
    only_draft,
    only_tag
from cdm.rehearsal_overlaps;
create view cdm.v_rehearsal_near with (security_barrier) as
select
    rehearsal_id,
    orders_missing,
    guests
from cdm.rehearsal_near;
comment on view cdm.v_rehearsal is 'One row = a rule was rehearsed: what it would do';
comment on view cdm.v_rehearsal_weeks is 'One row = a week of a rehearsal';
comment on view cdm.v_rehearsal_overlaps is 'One row = a rehearsal and another tag: how many guests have both';
comment on view cdm.v_rehearsal_near is 'One row = a rehearsal and how near guests are to its tag';
do $$
declare
    told record;
begin
    for told in
        select
            shown.oid::regclass as view_name,
            seen.attname as column_name,
            col_description(kept.oid, known.attnum) as words
        from (
            values
            ('v_rehearsal', 'rehearsals'), ('v_rehearsal_weeks', 'rehearsal_weeks'),
            ('v_rehearsal_overlaps', 'rehearsal_overlaps'), ('v_rehearsal_near', 'rehearsal_near')
        ) as pair (view_name, table_name)
        inner join pg_class as shown on shown.relname = pair.view_name
        inner join pg_class as kept on kept.relname = pair.table_name and kept.relkind = 'r'
        inner join pg_attribute as seen on seen.attrelid = shown.oid and seen.attnum > 0
        inner join pg_attribute as known
            on known.attrelid = kept.oid and known.attname = case seen.attname when 'rehearsal_id' then
                case pair.table_name when 'rehearsals' then 'id' else 'rehearsal_id' end else seen.attname end
    loop
        execute format('comment on column %%s.%%I is %%L', told.view_name, told.column_name, told.words);
    end loop;
end
$$;

create view cdm.v_clock with (security_barrier) as
select
    clock.as_of,
    (select min(due.due_dt) from cdm.guest_due as due) as next_due_dt
from cdm.tag_clock as clock;
comment on view cdm.v_clock is 'One row = as of when the tags stand; none before the first run';
comment on column cdm.v_clock.as_of is 'All that was sent before it has been judged, and what was to leave by then has left';
comment on column cdm.v_clock.next_due_dt is 'When time alone changes a guest next; NULL: never';

create or replace view cdm.v_guest_tags with (security_barrier) as
select
    hub.user_id as guest_id,
    carried.tag,
    carried.category_name,
    carried.order_cnt,
    carried.threshold,
    carried.assigned_dt,
    carried.window_days,
    carried.exit_threshold,
    carried.leaves_dt,
    carried.since_dt
from cdm.user_tags as carried
inner join dds.h_user as hub on carried.user_id = hub.h_user_pk;
comment on column cdm.v_guest_tags.window_days is 'Window of the rule in force; NULL = none';
comment on column cdm.v_guest_tags.exit_threshold is 'Exit threshold of the rule in force; NULL = the threshold';
comment on column cdm.v_guest_tags.leaves_dt is 'When the tag ends if nothing more happens; NULL without a window';
comment on column cdm.v_guest_tags.since_dt is 'Since when, by the orders'' own times; NULL without window and exit threshold';

create or replace view cdm.v_tag_events with (security_barrier) as
select
    hub.user_id as guest_id,
    told.tag,
    told.event,
    told.category_name,
    told.order_cnt,
    told.threshold,
    told.rule_version,
    told.event_dt,
    told.id as event_id,
    told.reason,
    told.effective_dt,
    told.as_of,
    told.window_days,
    told.exit_threshold,
    told.order_ids,
    told.trigger_order_id,
    told.compensates
from cdm.tag_events as told
inner join dds.h_user as hub on told.user_id = hub.h_user_pk;
comment on column cdm.v_tag_events.event_id is 'Number of the event';
comment on column cdm.v_tag_events.reason is
'orders, time (an order stopped counting), rule (it was changed), retired (none is in force), correction (a menu); NULL: not kept then';
comment on column cdm.v_tag_events.effective_dt is 'When it came to it, by the orders'' own times; of rule, retired and correction as_of';
comment on column cdm.v_tag_events.as_of is 'The moment as of which the run judged';
comment on column cdm.v_tag_events.window_days is 'Window of the rule; NULL = none';
comment on column cdm.v_tag_events.exit_threshold is 'Exit threshold of the rule; NULL = the threshold';
comment on column cdm.v_tag_events.order_ids is 'The orders that counted, newest first, at most 100 of order_cnt';
comment on column cdm.v_tag_events.trigger_order_id is 'The order that tipped it, if one did';
comment on column cdm.v_tag_events.compensates is
'Number of the event that should not have been: by a rule, a menu, or a rule that is retired';

create view cdm.v_why with (security_barrier) as
select
    hub.user_id as guest_id,
    rule.tag,
    orders.order_id,
    coalesce(status.then_status, status.now_status) as status,
    span.from_dt as closed_dt,
    verdict.why_not is null as counts,
    verdict.why_not,
    case when verdict.why_not is null then span.from_dt + rule.window_length end as leaves_dt
from dds.h_user as hub
cross join lateral (
    select distinct ever.h_order_pk
    from dds.es_order_user as ever
    where ever.h_user_pk = hub.h_user_pk
) as owned
inner join dds.h_order as orders on owned.h_order_pk = orders.h_order_pk
cross join (
    select
        rules.tag,
        category.h_category_pk,
        rules.window_days * interval '24 hours' as window_length,
        case
            when num_nonnulls(rules.window_days, rules.exit_threshold) > 0
                then coalesce((select max(clock.as_of) from cdm.tag_clock as clock), 'infinity')
            else 'infinity'
        end as as_of
    from cdm.tag_rules as rules
    inner join dds.h_category as category on rules.category_name = category.category_name
    where rules.active
) as rule
cross join lateral (
    select latest.h_user_pk
    from dds.es_order_user as latest
    where latest.h_order_pk = owned.h_order_pk
    order by latest.effective_dttm desc, latest.sent_dttm desc, latest.value_hash desc
    limit 1
) as owner
cross join lateral (
    select
        (array_agg(version.status order by version.effective_dttm desc, version.sent_dttm desc, version.value_hash desc))[1]
            as now_status,
        (
            array_agg(version.status order by version.effective_dttm desc, version.sent_dttm desc, version.value_hash desc)
            filter (where version.effective_dttm <= rule.as_of)
        )[1] as then_status
    from dds.s_order_status as version
    where version.h_order_pk = owned.h_order_pk
) as status
left join lateral (
    select closed.from_dt
    from dds.closed_intervals as closed
    where
        closed.h_order_pk = owned.h_order_pk
        and closed.from_dt <= rule.as_of
    order by closed.from_dt desc
    limit 1
) as span on true
cross join lateral (
    select
        coalesce(bool_or(dish.h_category_pk = rule.h_category_pk), false) as holds,
        coalesce(bool_or(dish.h_category_pk is null), false) as lacks
    from (
        select distinct on (held.h_product_pk)
            held.h_product_pk,
            held.is_active
        from dds.es_order_product as held
        where held.h_order_pk = owned.h_order_pk
        order by held.h_product_pk asc, held.effective_dttm desc, held.sent_dttm desc, held.value_hash desc
    ) as line
    left join lateral (
        select es.h_category_pk
        from dds.es_product_category as es
        where es.h_product_pk = line.h_product_pk
        order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
        limit 1
    ) as dish on true
    where line.is_active
) as basket
cross join lateral (
    select
        case
            when owner.h_user_pk <> hub.h_user_pk then 'other_guest_now'
            when status.then_status is distinct from 'CLOSED' and status.now_status = 'CLOSED' then 'dated_ahead'
            when status.then_status is distinct from 'CLOSED' then 'not_closed'
            when not basket.holds and basket.lacks then 'dish_without_category'
            when not basket.holds then 'no_dish_of_category'
            when span.from_dt + rule.window_length <= rule.as_of then 'outside_window'
        end as why_not
) as verdict;
comment on view cdm.v_why is
'One row = a guest, a tag in force, an order that is or was theirs: does it count, and if not, why. To be filtered by guest_id';
comment on column cdm.v_why.guest_id is 'Guest id of the app';
comment on column cdm.v_why.tag is 'The tag';
comment on column cdm.v_why.order_id is 'Order id of the app';
comment on column cdm.v_why.status is 'Status of the order; for rules with a window or exit threshold that as of the clock';
comment on column cdm.v_why.closed_dt is 'When it became CLOSED, last; NULL: it never was';
comment on column cdm.v_why.counts is 'Whether it counts for the tag';
comment on column cdm.v_why.why_not is
'other_guest_now, dated_ahead, not_closed, dish_without_category, no_dish_of_category or outside_window; NULL where it counts';
comment on column cdm.v_why.leaves_dt is 'When it stops counting; NULL without a window, and where it does not count';

create or replace view cdm.v_tags with (security_barrier) as
select
    rule.tag,
    rule.category_name,
    rule.threshold,
    rule.version as rule_version,
    rule.changed_dt,
    coalesce(audience.guests, 0) as guests,
    rule.window_days,
    rule.exit_threshold
from cdm.tag_rules as rule
left join (
    select
        tag,
        sum(assigned - revoked)::bigint as guests
    from cdm.tag_days
    group by tag
) as audience on rule.tag = audience.tag
where rule.active;
comment on column cdm.v_tags.window_days is 'Window of the rule; NULL = none';
comment on column cdm.v_tags.exit_threshold is 'Exit threshold of the rule; NULL = the threshold';

-- The histogram counts orders of all time: how near somebody is to a tag with a window a rehearsal counts.
create or replace view cdm.v_tag_funnel with (security_barrier) as
select
    rule.tag,
    rule.category_name,
    rule.threshold,
    missing.orders as orders_missing,
    case when missing.orders = 0 then rule.guests else coalesce(near.guests, 0) end as guests
from cdm.v_tags as rule
cross join generate_series(0, 3) as missing (orders)
left join cdm.category_histogram as near
    on
        rule.category_name = near.category_name
        and near.order_cnt - 1 = rule.threshold - missing.orders
        and missing.orders > 0
where missing.orders = 0 or num_nonnulls(rule.window_days, rule.exit_threshold) = 0;
comment on view cdm.v_tag_funnel is
'One row = a tag whose rule is in force, and how many CLOSED orders of its category guests are away from it. '
'Only guests with at least one such order are counted. Of a rule with a window or exit threshold only '
'those who carry it: how near others are a rehearsal says (v_rehearsal_near)';

create or replace view cdm.v_guest_progress with (security_barrier) as
select
    counted.guest_id,
    counted.category_name,
    counted.order_cnt,
    counted.tag,
    counted.threshold,
    counted.carries_tag,
    case
        when counted.carries_tag then 0
        when counted.tag is not null then greatest(counted.threshold - counted.order_cnt + 1, 0)
    end as orders_missing,
    counted.window_days,
    counted.exit_threshold,
    counted.leaves_dt
from (
    select
        hub.user_id as guest_id,
        counters.category_name,
        case
            when carried.tag is not null then carried.order_cnt
            when rule.is_timed then (
                select count(distinct owned.h_order_pk)::integer
                from dds.es_order_user as owned
                inner join dds.closed_intervals as closed
                    on
                        owned.h_order_pk = closed.h_order_pk
                        and closed.from_dt <= rule.as_of
                        and coalesce(
                            least(closed.to_dt, closed.from_dt + rule.window_days * interval '24 hours') > rule.as_of, true
                        )
                inner join dds.es_order_product as held on owned.h_order_pk = held.h_order_pk
                where
                    owned.h_user_pk = counters.user_id
                    and owned.h_user_pk = (
                        select owner.h_user_pk
                        from dds.es_order_user as owner
                        where owner.h_order_pk = owned.h_order_pk
                        order by owner.effective_dttm desc, owner.sent_dttm desc, owner.value_hash desc
                        limit 1
                    )
                    and (
                        select line.is_active
                        from dds.es_order_product as line
                        where
                            line.h_order_pk = held.h_order_pk
                            and line.h_product_pk = held.h_product_pk
                        order by line.effective_dttm desc, line.sent_dttm desc, line.value_hash desc
                        limit 1
                    )
                    and counters.category_id = (
                        select es.h_category_pk
                        from dds.es_product_category as es
                        where es.h_product_pk = held.h_product_pk
                        order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
                        limit 1
                    )
            )
            else counters.order_cnt
        end as order_cnt,
        rule.tag,
        rule.threshold,
        carried.tag is not null as carries_tag,
        rule.window_days,
        rule.exit_threshold,
        carried.leaves_dt
    from cdm.user_category_counters as counters
    inner join dds.h_user as hub on counters.user_id = hub.h_user_pk
    left join (
        select
            rules.tag,
            rules.threshold,
            rules.window_days,
            rules.exit_threshold,
            num_nonnulls(rules.window_days, rules.exit_threshold) > 0 as is_timed,
            (select max(clock.as_of) from cdm.tag_clock as clock) as as_of,
            category.h_category_pk
        from cdm.tag_rules as rules
        inner join dds.h_category as category on rules.category_name = category.category_name
        where rules.active
    ) as rule on counters.category_id = rule.h_category_pk
    left join cdm.user_tags as carried
        on
            counters.user_id = carried.user_id
            and rule.tag = carried.tag
) as counted;
comment on column cdm.v_guest_progress.order_cnt is
'The guest''s CLOSED orders of the category; by a rule with window or exit threshold those that count as of the clock';
comment on column cdm.v_guest_progress.window_days is 'Window of the rule; NULL = none';
comment on column cdm.v_guest_progress.exit_threshold is 'Exit threshold of the rule; NULL = the threshold';
comment on column cdm.v_guest_progress.leaves_dt is
'When the tag ends if nothing more happens; NULL: the guest does not carry it, or it has no window';

revoke all on cdm.v_rehearsal, cdm.v_rehearsal_weeks, cdm.v_rehearsal_overlaps, cdm.v_rehearsal_near, cdm.v_clock, cdm.v_why
from dwh_bi;
grant select on cdm.v_rehearsal, cdm.v_rehearsal_weeks, cdm.v_rehearsal_overlaps, cdm.v_rehearsal_near, cdm.v_clock, cdm.v_why
to dwh_bi, dwh_etl;
