-- The loads wait: what follows counts what is stored, and the next load goes on from there.
select pg_advisory_xact_lock(hashtext('dwh.stg'));
select pg_advisory_xact_lock(hashtext('dwh.cdm'));

-- Small tables, maintained by differences. No check holds their counts above 0: where they differ from what they sum up (somebody
-- has written by hand), a law of sql/checks says so and marts_rebuild mends it, while the loads of the orders go on.

create table stg.order_hours (
    order_hour timestamptz not null,
    restaurant_id text not null,
    status text not null,
    orders bigint not null,
    empty_orders bigint not null,
    cost numeric not null,
    primary key (order_hour, restaurant_id, status)
) with (fillfactor = 80);
comment on table stg.order_hours is 'Sums of stg.order_events: one row = the orders that began in an hour at a restaurant and have a status now. A row that falls to 0 disappears';
comment on column stg.order_hours.order_hour is 'Begin of the UTC hour in which the orders began';
comment on column stg.order_hours.restaurant_id is 'payload.restaurant.id';
comment on column stg.order_hours.status is 'payload.final_status of the newest version';
comment on column stg.order_hours.orders is 'Number of the orders';
comment on column stg.order_hours.empty_orders is 'Those among them whose basket is empty';
comment on column stg.order_hours.cost is 'Sum of payload.cost, exact; an order without a cost adds nothing';

create table cdm.product_totals (
    product_id uuid primary key,
    guests bigint not null,
    order_cnt bigint not null
) with (fillfactor = 80);
comment on table cdm.product_totals is 'Sums of cdm.user_product_counters: one row = a dish. A row that falls to 0 disappears';
comment on column cdm.product_totals.product_id is 'Dish: dds.h_product.h_product_pk';
comment on column cdm.product_totals.guests is 'Guests with a counter of the dish';
comment on column cdm.product_totals.order_cnt is 'Sum of their counters: CLOSED orders that hold the dish';

create table cdm.category_histogram (
    category_id uuid not null,
    category_name varchar not null,
    order_cnt integer not null,
    guests bigint not null,
    primary key (category_id, order_cnt)
) with (fillfactor = 80);
comment on table cdm.category_histogram is 'Sums of cdm.user_category_counters: one row = a category and a value of its counters. A row that falls to 0 disappears';
comment on column cdm.category_histogram.category_id is 'Category: dds.h_category.h_category_pk';
comment on column cdm.category_histogram.category_name is 'Name of the category';
comment on column cdm.category_histogram.order_cnt is 'Value of the counter';
comment on column cdm.category_histogram.guests is 'Guests whose counter of the category has this value';

create table cdm.tag_days (
    tag varchar not null,
    day date not null,
    assigned bigint not null,
    revoked bigint not null,
    primary key (tag, day)
) with (fillfactor = 80);
comment on table cdm.tag_days is 'Sums of cdm.tag_events: one row = a tag and a day on which guests got or lost it';
comment on column cdm.tag_days.tag is 'The tag';
comment on column cdm.tag_days.day is 'UTC day of the events';
comment on column cdm.tag_days.assigned is 'Events by which guests got the tag';
comment on column cdm.tag_days.revoked is 'Events by which guests lost it';

insert into stg.order_hours
select
    date_trunc('hour', log.order_dt, 'UTC'),
    log.restaurant_id,
    log.final_status,
    count(*),
    count(*) filter (where cardinality(log.item_ids) = 0),
    trim_scale(coalesce(sum(log.cost), 0))
from stg.order_events as newest
inner join stg.order_event_log as log on newest.value_hash = log.value_hash
group by 1, 2, 3;

insert into cdm.product_totals
select product_id, count(*), sum(order_cnt)
from cdm.user_product_counters
group by product_id;

insert into cdm.category_histogram
select category_id, max(category_name), order_cnt, count(*)
from cdm.user_category_counters
group by category_id, order_cnt;

insert into cdm.tag_days
select
    tag,
    (event_dt at time zone 'UTC')::date,
    count(*) filter (where event = 'assigned'),
    count(*) filter (where event = 'revoked')
from cdm.tag_events
group by 1, 2;

create index tag_events_tag on cdm.tag_events (tag, event_dt);

-- Views. A barrier keeps conditions of a reader's own making away from the rows that a view leaves out; the usual comparisons
-- (leakproof ones) still reach the indexes.

create view cdm.v_tags with (security_barrier) as
select
    rule.tag,
    rule.category_name,
    rule.threshold,
    rule.version as rule_version,
    rule.changed_dt,
    coalesce(audience.guests, 0) as guests
from cdm.tag_rules as rule
left join (
    select tag, sum(assigned - revoked)::bigint as guests
    from cdm.tag_days
    group by tag
) as audience on rule.tag = audience.tag
where rule.active;
comment on view cdm.v_tags is 'One row = a tag whose rule is in force, and its audience';
comment on column cdm.v_tags.tag is 'The tag';
comment on column cdm.v_tags.category_name is 'Category whose counter the rule compares';
comment on column cdm.v_tags.threshold is 'The counter must exceed it: with 5, the sixth order gives the tag';
comment on column cdm.v_tags.rule_version is 'Version of the rule: grows with every change';
comment on column cdm.v_tags.changed_dt is 'When the rule was changed last';
comment on column cdm.v_tags.guests is 'Guests who carry the tag now';

create view cdm.v_audience_daily with (security_barrier) as
select
    lives.first_day + step.days as day,
    lives.tag,
    coalesce(moved.assigned, 0) as assigned,
    coalesce(moved.revoked, 0) as revoked,
    (sum(coalesce(moved.assigned, 0) - coalesce(moved.revoked, 0)) over (
        partition by lives.tag order by step.days
    ))::bigint as guests
from (
    select
        tag,
        min(day) as first_day,
        greatest(max(day), (now() at time zone 'UTC')::date) as last_day
    from cdm.tag_days
    group by tag
) as lives
cross join lateral generate_series(0, lives.last_day - lives.first_day) as step (days)
left join cdm.tag_days as moved
    on
        lives.tag = moved.tag
        and lives.first_day + step.days = moved.day;
comment on view cdm.v_audience_daily is 'One row = a tag and a UTC day, every day from the tag''s first event to today; tags without a rule by now included';
comment on column cdm.v_audience_daily.day is 'UTC day';
comment on column cdm.v_audience_daily.tag is 'The tag';
comment on column cdm.v_audience_daily.assigned is 'How often guests got the tag on this day';
comment on column cdm.v_audience_daily.revoked is 'How often guests lost it on this day';
comment on column cdm.v_audience_daily.guests is 'Guests who carried it at the end of the day';

create view cdm.v_tag_funnel with (security_barrier) as
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
        and missing.orders > 0;
comment on view cdm.v_tag_funnel is 'One row = a tag whose rule is in force, and how many CLOSED orders of its category guests are away from it. Only guests with at least one such order are counted';
comment on column cdm.v_tag_funnel.tag is 'The tag';
comment on column cdm.v_tag_funnel.category_name is 'Category whose counter the rule compares';
comment on column cdm.v_tag_funnel.threshold is 'The counter must exceed it';
comment on column cdm.v_tag_funnel.orders_missing is '0 = the guests carry the tag; 1 to 3 = so many more CLOSED orders of the category give it';
comment on column cdm.v_tag_funnel.guests is 'Number of these guests';

create view cdm.v_category_counters with (security_barrier) as
select
    category_name,
    sum(guests)::bigint as guests,
    sum(order_cnt * guests)::bigint as order_cnt
from cdm.category_histogram
group by category_name;
comment on view cdm.v_category_counters is 'One row = a category of which guests have CLOSED orders';
comment on column cdm.v_category_counters.category_name is 'Name of the category';
comment on column cdm.v_category_counters.guests is 'Guests with at least one CLOSED order of the category';
comment on column cdm.v_category_counters.order_cnt is 'CLOSED orders that hold a dish of the category: the sum of the guests'' counters';

create view cdm.v_category_thresholds with (security_barrier) as
select
    category.category_name,
    step.threshold,
    (sum(coalesce(level.guests, 0)) over (
        partition by category.category_id order by step.threshold desc
    ))::bigint as guests
from (
    select category_id, max(category_name) as category_name, max(order_cnt) as highest
    from cdm.category_histogram
    group by category_id
) as category
cross join lateral generate_series(0, category.highest - 1) as step (threshold)
left join cdm.category_histogram as level
    on
        category.category_id = level.category_id
        and step.threshold + 1 = level.order_cnt;
comment on view cdm.v_category_thresholds is 'One row = a category and a threshold that a rule could have: what the audience would be';
comment on column cdm.v_category_thresholds.category_name is 'Name of the category';
comment on column cdm.v_category_thresholds.threshold is 'The threshold, from 0 to the highest one that somebody exceeds';
comment on column cdm.v_category_thresholds.guests is 'Guests whose counter exceeds it';

create view cdm.v_product_counters with (security_barrier) as
select
    hub.product_id,
    coalesce(current_name.name, '') as product_name,
    category.category_name,
    totals.guests,
    totals.order_cnt
from cdm.product_totals as totals
inner join dds.h_product as hub on totals.product_id = hub.h_product_pk
left join lateral (
    select names.name
    from dds.s_product_names as names
    where names.h_product_pk = totals.product_id
    order by
        names.is_from_menu desc,
        names.effective_dttm desc,
        names.sent_dttm desc,
        names.restaurant_id desc,
        names.value_hash desc
    limit 1
) as current_name on true
left join lateral (
    select es.h_category_pk
    from dds.es_product_category as es
    where es.h_product_pk = totals.product_id
    order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
    limit 1
) as current_category on true
left join dds.h_category as category on current_category.h_category_pk = category.h_category_pk;
comment on view cdm.v_product_counters is 'One row = a dish that stands in CLOSED orders';
comment on column cdm.v_product_counters.product_id is 'Dish id of the app';
comment on column cdm.v_product_counters.product_name is 'Name of the dish by the newest menu; by the newest order while no menu has it; empty when nobody named it';
comment on column cdm.v_product_counters.category_name is 'Category of the dish now; NULL while no menu says';
comment on column cdm.v_product_counters.guests is 'Guests with a CLOSED order of the dish';
comment on column cdm.v_product_counters.order_cnt is 'CLOSED orders that hold the dish';

create view cdm.v_orders_hourly with (security_barrier) as
select
    hours.order_hour,
    hours.restaurant_id,
    restaurants.name as restaurant_name,
    hours.status,
    hours.orders,
    hours.cost
from stg.order_hours as hours
left join (
    select hub.restaurant_id, current_name.name
    from dds.h_restaurant as hub
    cross join lateral (
        select names.name
        from dds.s_restaurant_names as names
        where names.h_restaurant_pk = hub.h_restaurant_pk
        order by names.effective_dttm desc, names.value_hash desc
        limit 1
    ) as current_name
) as restaurants on hours.restaurant_id = restaurants.restaurant_id;
comment on view cdm.v_orders_hourly is 'One row = an hour, a restaurant and a status: the orders that began in the hour and have the status now';
comment on column cdm.v_orders_hourly.order_hour is 'Begin of the UTC hour';
comment on column cdm.v_orders_hourly.restaurant_id is 'Restaurant id of the app';
comment on column cdm.v_orders_hourly.restaurant_name is 'Name of the restaurant now; NULL while unknown';
comment on column cdm.v_orders_hourly.status is 'Status of the orders now, as the app writes it';
comment on column cdm.v_orders_hourly.orders is 'Number of the orders';
comment on column cdm.v_orders_hourly.cost is 'Sum of their costs, exact';

create view cdm.v_freshness with (security_barrier) as
select
    (select load_dt from stg.order_events order by id desc limit 1) as last_order_dt,
    (select event_dt from cdm.tag_events order by id desc limit 1) as last_tag_event_dt,
    messages.waiting as messages_waiting,
    messages.waiting_since as messages_waiting_since,
    guests.waiting as guests_waiting,
    guests.waiting_since as guests_waiting_since,
    rules.waiting as rules_waiting,
    letters.unsolved as dead_letters,
    greatest(
        extract(epoch from now() - least(messages.waiting_since, guests.waiting_since, rules.waiting_since)),
        0
    )::double precision as lag_s
from (
    select count(*) as waiting, min(load_dt) as waiting_since
    from stg.load_queue
) as messages
cross join (
    select count(distinct h_user_pk) as waiting, min(load_dt) as waiting_since
    from dds.counter_queue
) as guests
cross join (
    select count(*) as waiting, min(changed.changed_dt) as waiting_since
    from (
        select queue.tag, max(rule.changed_dt) as changed_dt
        from cdm.rule_queue as queue
        left join cdm.tag_rules as rule on queue.tag = rule.tag
        group by queue.tag
    ) as changed
) as rules
cross join (
    select count(*) as unsolved
    from stg.dead_letters
    where solved_dt is null
) as letters;
comment on view cdm.v_freshness is 'One row: how fresh the marts are and what waits';
comment on column cdm.v_freshness.last_order_dt is 'When the warehouse took the newest order''s newest version';
comment on column cdm.v_freshness.last_tag_event_dt is 'When the last tag was assigned or revoked';
comment on column cdm.v_freshness.messages_waiting is 'Messages and reference documents accepted but not yet in the vault';
comment on column cdm.v_freshness.messages_waiting_since is 'Since when the oldest of them waits; NULL = none does';
comment on column cdm.v_freshness.guests_waiting is 'Guests whose counters are to be computed anew';
comment on column cdm.v_freshness.guests_waiting_since is 'Since when the first of them waits; NULL = none does';
comment on column cdm.v_freshness.rules_waiting is 'Tags whose changed rule is to be applied';
comment on column cdm.v_freshness.dead_letters is 'Messages and documents refused and not solved';
comment on column cdm.v_freshness.lag_s is 'Seconds for which the oldest thing has waited; 0 = nothing waits';

create view cdm.v_dead_letters with (security_barrier) as
select
    topic,
    reason,
    count(*) filter (where solved_dt is null) as unsolved,
    count(solved_dt) as solved,
    min(load_dt) as first_dt,
    max(load_dt) as last_dt
from stg.dead_letters
group by topic, reason;
comment on view cdm.v_dead_letters is 'One row = a topic and a reason for which its messages were refused';
comment on column cdm.v_dead_letters.topic is 'Kafka topic, or redis for a reference document';
comment on column cdm.v_dead_letters.reason is 'Reason code, see docs/messages.md';
comment on column cdm.v_dead_letters.unsolved is 'Still refused';
comment on column cdm.v_dead_letters.solved is 'Accepted later';
comment on column cdm.v_dead_letters.first_dt is 'When the first of them was seen first';
comment on column cdm.v_dead_letters.last_dt is 'When the last of them was seen first';

-- Around the union stands a select: PostgreSQL takes a bare union apart, barrier or not.
create view cdm.v_orders_not_counted with (security_barrier) as
select reason, detail, amount, unit
from (
    select 'not_closed' as reason, status as detail, sum(orders)::bigint as amount, 'orders' as unit
    from stg.order_hours
    where status <> 'CLOSED'
    group by status
    union all
    select 'empty_basket', '', sum(empty_orders)::bigint, 'orders'
    from stg.order_hours
    where status = 'CLOSED'
    having sum(empty_orders) > 0
    union all
    select
        'no_category',
        case when dish.is_on_menu then 'menu_without_category' else 'dish_on_no_menu' end,
        sum(totals.order_cnt)::bigint,
        'order lines'
    from cdm.product_totals as totals
    cross join lateral (
        select exists (
            select 1
            from dds.s_product_names as names
            where names.h_product_pk = totals.product_id and names.is_from_menu
        ) as is_on_menu
    ) as dish
    where not exists (
        select 1
        from dds.es_product_category as es
        where es.h_product_pk = totals.product_id
    )
    group by dish.is_on_menu
    union all
    select 'waiting', case source when 'order_event_log' then 'order' else 'reference' end, count(*), 'messages'
    from stg.load_queue
    group by source
    union all
    select 'refused', reason, count(*), 'messages'
    from stg.dead_letters
    where solved_dt is null
    group by reason
) as lost;
comment on view cdm.v_orders_not_counted is 'One row = why something that the app has sent is in no counter (yet), and how much of it';
comment on column cdm.v_orders_not_counted.reason is 'not_closed: orders of another status. empty_basket: CLOSED orders without a dish. no_category: dishes of CLOSED orders that count as dishes, but in no category. waiting: not yet in the vault. refused: dead letters not solved';
comment on column cdm.v_orders_not_counted.detail is 'not_closed: the status. no_category: dish_on_no_menu (no menu has named it) or menu_without_category. waiting: order or reference. refused: the reason code. Else empty';
comment on column cdm.v_orders_not_counted.amount is 'How many';
comment on column cdm.v_orders_not_counted.unit is 'What amount counts: orders, order lines (a dish in an order) or messages';

create view cdm.v_guest_tags with (security_barrier) as
select
    hub.user_id as guest_id,
    carried.tag,
    carried.category_name,
    carried.order_cnt,
    carried.threshold,
    carried.assigned_dt
from cdm.user_tags as carried
inner join dds.h_user as hub on carried.user_id = hub.h_user_pk;
comment on view cdm.v_guest_tags is 'One row = a guest carries a tag now. To be filtered by guest_id or tag';
comment on column cdm.v_guest_tags.guest_id is 'Guest id of the app';
comment on column cdm.v_guest_tags.tag is 'The tag';
comment on column cdm.v_guest_tags.category_name is 'Category of the rule';
comment on column cdm.v_guest_tags.order_cnt is 'The guest''s counter of the category';
comment on column cdm.v_guest_tags.threshold is 'Threshold of the rule in force';
comment on column cdm.v_guest_tags.assigned_dt is 'Since when the guest carries it without a break';

create view cdm.v_guest_progress with (security_barrier) as
select
    hub.user_id as guest_id,
    counters.category_name,
    counters.order_cnt,
    rule.tag,
    rule.threshold,
    carried.tag is not null as carries_tag,
    case
        when carried.tag is not null then 0
        when rule.tag is not null then greatest(rule.threshold - counters.order_cnt + 1, 0)
    end as orders_missing
from cdm.user_category_counters as counters
inner join dds.h_user as hub on counters.user_id = hub.h_user_pk
left join (
    select rules.tag, rules.threshold, category.h_category_pk
    from cdm.tag_rules as rules
    inner join dds.h_category as category on rules.category_name = category.category_name
    where rules.active
) as rule on counters.category_id = rule.h_category_pk
left join cdm.user_tags as carried
    on
        counters.user_id = carried.user_id
        and rule.tag = carried.tag;
comment on view cdm.v_guest_progress is 'One row = a guest, a category and a rule of the category in force: how far the guest is from its tag. To be filtered by guest_id or tag';
comment on column cdm.v_guest_progress.guest_id is 'Guest id of the app';
comment on column cdm.v_guest_progress.category_name is 'Name of the category';
comment on column cdm.v_guest_progress.order_cnt is 'The guest''s CLOSED orders of the category';
comment on column cdm.v_guest_progress.tag is 'Tag of the rule; NULL where no rule compares the category';
comment on column cdm.v_guest_progress.threshold is 'Threshold of the rule';
comment on column cdm.v_guest_progress.carries_tag is 'Whether the guest carries the tag now';
comment on column cdm.v_guest_progress.orders_missing is 'So many more CLOSED orders of the category give the tag; 0 = carries it, or a changed rule gives it with the next run; NULL without a rule';

create view cdm.v_tag_events with (security_barrier) as
select
    hub.user_id as guest_id,
    told.tag,
    told.event,
    told.category_name,
    told.order_cnt,
    told.threshold,
    told.rule_version,
    told.event_dt
from cdm.tag_events as told
inner join dds.h_user as hub on told.user_id = hub.h_user_pk;
comment on view cdm.v_tag_events is 'One row = a guest got or lost a tag, with the evidence. To be filtered by guest_id or tag';
comment on column cdm.v_tag_events.guest_id is 'Guest id of the app';
comment on column cdm.v_tag_events.tag is 'The tag';
comment on column cdm.v_tag_events.event is 'assigned or revoked';
comment on column cdm.v_tag_events.category_name is 'Category of the rule';
comment on column cdm.v_tag_events.order_cnt is 'The guest''s counter of the category at that moment';
comment on column cdm.v_tag_events.threshold is 'Threshold it was compared with';
comment on column cdm.v_tag_events.rule_version is 'Version of that rule';
comment on column cdm.v_tag_events.event_dt is 'When the run decided it';

-- The BI role sees the views and nothing else.
revoke all on all tables in schema stg, dds, cdm from dwh_bi;
grant select on
    cdm.v_tags, cdm.v_audience_daily, cdm.v_tag_funnel, cdm.v_category_counters, cdm.v_category_thresholds,
    cdm.v_product_counters, cdm.v_orders_hourly, cdm.v_freshness, cdm.v_dead_letters, cdm.v_orders_not_counted,
    cdm.v_guest_tags, cdm.v_guest_progress, cdm.v_tag_events
to dwh_bi, dwh_etl;
grant select, insert, update, delete on
    stg.order_hours, cdm.product_totals, cdm.category_histogram, cdm.tag_days
to dwh_etl;
