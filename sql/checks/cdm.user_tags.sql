-- Law cdm.user_tags: of rules without window and exit threshold a guest carries exactly the tags whose active rule their counter
-- exceeds, with that evidence. Guests and rules that wait to be judged are left out.
-- Over: guests
-- Params: none
with earned as (
    select
        counters.user_id,
        rule.tag,
        rule.category_name,
        counters.order_cnt,
        rule.threshold,
        rule.version as rule_version
    from cdm.tag_rules as rule
    inner join dds.h_category as category on rule.category_name = category.category_name
    inner join cdm.user_category_counters as counters on category.h_category_pk = counters.category_id
    inner join batch_checked_guests as checked on counters.user_id = checked.h_user_pk
    where
        rule.active
        and num_nonnulls(rule.window_days, rule.exit_threshold) = 0
        and counters.order_cnt > rule.threshold
),

carried as (
    select tags.*
    from batch_checked_guests as checked
    inner join cdm.user_tags as tags on checked.h_user_pk = tags.user_id
    where
        not exists (
            select 1
            from cdm.tag_rules as rule
            where
                rule.tag = tags.tag
                and rule.active
                and num_nonnulls(rule.window_days, rule.exit_threshold) > 0
        )
)

select
    coalesce(carried.user_id, earned.user_id) as user_id,
    coalesce(carried.tag, earned.tag) as tag,
    carried.order_cnt,
    carried.threshold,
    carried.rule_version,
    earned.order_cnt as earned_cnt,
    earned.threshold as earned_threshold,
    earned.rule_version as earned_rule_version
from carried
full join earned
    on
        carried.user_id = earned.user_id
        and carried.tag = earned.tag
where
    (carried.category_name, carried.order_cnt, carried.threshold, carried.rule_version)
    is distinct from (earned.category_name, earned.order_cnt, earned.threshold, earned.rule_version)
    and not exists (
        select 1
        from dds.counter_queue as queue
        where queue.h_user_pk = coalesce(carried.user_id, earned.user_id)
    )
    and not exists (
        select 1
        from cdm.rule_queue as queue
        where queue.tag = coalesce(carried.tag, earned.tag)
    );

-- Law cdm.user_tags.timed: of rules with a window or an exit threshold a guest carries, as of the clock, exactly the tags for which
-- more orders counted after the last moment at which no more than the exit threshold did, with that count, since then, and until then.
-- Guests and rules that wait to be judged are left out.
-- Over: guests
-- Params: none
with rules as (
    select
        rule.*,
        category.h_category_pk as category_id,
        coalesce(rule.exit_threshold, rule.threshold) as leaves_over,
        rule.window_days * interval '24 hours' as window_length,
        clock.as_of
    from cdm.tag_rules as rule
    inner join dds.h_category as category on rule.category_name = category.category_name
    cross join cdm.tag_clock as clock
    where
        rule.active
        and num_nonnulls(rule.window_days, rule.exit_threshold) > 0
),

owned as (
    select distinct owner.h_order_pk
    from batch_checked_guests as checked
    inner join dds.es_order_user as owner on checked.h_user_pk = owner.h_user_pk
    where exists (select rules.tag from rules)
),

held as (
    select distinct
        owner.h_user_pk as user_id,
        owned.h_order_pk,
        dish.h_category_pk as category_id
    from owned
    cross join lateral (
        select current_owner.h_user_pk
        from dds.current_order_user as current_owner
        where current_owner.h_order_pk = owned.h_order_pk
        offset 0
    ) as owner
    cross join lateral (
        select basket.h_product_pk
        from dds.current_order_product as basket
        where
            basket.h_order_pk = owned.h_order_pk
            and basket.is_active
        offset 0
    ) as line
    inner join dds.current_product_category as dish on line.h_product_pk = dish.h_product_pk
    inner join batch_checked_guests as checked on owner.h_user_pk = checked.h_user_pk
),

-- Once an order: a rule more of a category asks no order again.
closed as materialized (
    select
        each_order.h_order_pk,
        span.from_dt,
        span.to_dt
    from (select distinct h_order_pk from held) as each_order
    cross join lateral (
        select
            intervals.from_dt,
            intervals.to_dt
        from dds.closed_intervals as intervals
        where intervals.h_order_pk = each_order.h_order_pk
        offset 0
    ) as span
),

counted as (
    select
        held.user_id,
        rules.tag,
        rules.threshold,
        rules.leaves_over,
        rules.as_of,
        closed.from_dt,
        closed.from_dt + rules.window_length as end_dt,
        least(closed.to_dt, closed.from_dt + rules.window_length) as to_dt
    from held
    inner join closed on held.h_order_pk = closed.h_order_pk
    inner join rules on held.category_id = rules.category_id
    where closed.from_dt <= rules.as_of
),

-- Where no more than the exit threshold count now, now is the last such moment.
spans as (
    select *
    from (
        select
            *,
            count(*) filter (where coalesce(to_dt > as_of, true)) over (partition by user_id, tag) as count_now
        from counted
    ) as placed
    where count_now > leaves_over
),

steps as (
    select
        spans.user_id,
        spans.tag,
        spans.threshold,
        spans.leaves_over,
        moment.at_dt,
        sum(moment.step) as step
    from spans
    cross join lateral (
        values
        (spans.from_dt, 1),
        (case when spans.to_dt <= spans.as_of then spans.to_dt end, -1)
    ) as moment (at_dt, step)
    where moment.at_dt is not null
    group by spans.user_id, spans.tag, spans.threshold, spans.leaves_over, moment.at_dt
),

counts as (
    select
        *,
        sum(step) over (partition by user_id, tag order by at_dt asc) as order_cnt
    from steps
),

low as (
    select
        *,
        max(at_dt) filter (where order_cnt <= leaves_over) over (partition by user_id, tag) as low_dt
    from counts
),

entered as (
    select
        user_id,
        tag,
        min(at_dt) as since_dt
    from low
    where
        order_cnt > threshold
        and coalesce(at_dt > low_dt, true)
    group by user_id, tag
),

earned as (
    select
        entered.user_id,
        entered.tag,
        rules.version as rule_version,
        rules.threshold,
        rules.window_days,
        rules.exit_threshold,
        entered.since_dt,
        count(*) as order_cnt,
        (array_agg(spans.end_dt order by spans.end_dt asc))[count(*) - max(spans.leaves_over)] as leaves_dt
    from entered
    inner join rules on entered.tag = rules.tag
    inner join spans
        on
            entered.user_id = spans.user_id
            and entered.tag = spans.tag
            and coalesce(spans.to_dt > spans.as_of, true)
    group by
        entered.user_id, entered.tag, rules.version, rules.threshold, rules.window_days, rules.exit_threshold, entered.since_dt
),

carried as (
    select tags.*
    from batch_checked_guests as checked
    inner join cdm.user_tags as tags on checked.h_user_pk = tags.user_id
    inner join rules on tags.tag = rules.tag
)

select
    coalesce(carried.user_id, earned.user_id) as user_id,
    coalesce(carried.tag, earned.tag) as tag,
    carried.order_cnt,
    earned.order_cnt as earned_cnt,
    carried.rule_version,
    earned.rule_version as earned_rule_version,
    carried.since_dt,
    earned.since_dt as earned_since_dt,
    carried.leaves_dt,
    earned.leaves_dt as earned_leaves_dt
from carried
full join earned
    on
        carried.user_id = earned.user_id
        and carried.tag = earned.tag
where
    (
        carried.order_cnt,
        carried.threshold,
        carried.rule_version,
        carried.window_days,
        carried.exit_threshold,
        carried.since_dt,
        carried.leaves_dt
    )
    is distinct from (
        earned.order_cnt,
        earned.threshold,
        earned.rule_version,
        earned.window_days,
        earned.exit_threshold,
        earned.since_dt,
        earned.leaves_dt
    )
    and not exists (
        select 1
        from dds.counter_queue as queue
        where queue.h_user_pk = coalesce(carried.user_id, earned.user_id)
    )
    and not exists (
        select 1
        from cdm.rule_queue as queue
        where queue.tag = coalesce(carried.tag, earned.tag)
    );
