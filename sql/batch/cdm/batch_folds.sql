-- Temporary: how a guest stands under a rule as of its moment: whether they have the tag, how many orders count, since when it is so
-- and by which order, when the tag ends if nothing more happens, and when the next of its orders stops counting. A guest without a
-- row has no tag and no order that counts.
-- From: batch_points, batch_intervals, batch_judged
-- Grain: user_id, rule_id
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_folds (
    user_id uuid,
    rule_id integer,
    is_on boolean,
    order_cnt integer,
    moved_dt timestamptz,
    closed_order bigint,
    cancelled_order bigint,
    expired_order bigint,
    leaves_dt timestamptz,
    next_dt timestamptz
) on commit drop;

insert into batch_folds
with placed as (
    select
        points.*,
        lag(points.is_on, 1, false) over timeline <> points.is_on as is_move,
        lead(points.at_dt) over timeline is null as is_last
    from batch_points as points
    window timeline as (partition by points.user_id, points.rule_id order by points.at_dt asc)
),

states as (
    select
        user_id,
        rule_id,
        bool_or(is_on) filter (where is_last) as is_on,
        max(order_cnt) filter (where is_last) as order_cnt,
        max(at_dt) filter (where is_move) as moved_dt
    from placed
    group by user_id, rule_id
),

-- Those of them that count, by when they stop.
ends as (
    select
        states.user_id,
        states.rule_id,
        intervals.from_dt + rule.window_days * interval '24 hours' as end_dt,
        rule.leaves_over,
        states.order_cnt
    from states
    inner join batch_judged as rule on states.rule_id = rule.rule_id
    inner join batch_intervals as intervals
        on
            states.user_id = intervals.user_id
            and rule.category_id = intervals.category_id
    where
        states.is_on
        and rule.window_days is not null
        and intervals.from_dt <= rule.as_of
        and coalesce(intervals.to_dt > rule.as_of, true)
        and intervals.from_dt + rule.window_days * interval '24 hours' > rule.as_of
),

leaving as (
    select
        user_id,
        rule_id,
        (array_agg(end_dt order by end_dt asc))[max(order_cnt - leaves_over)] as leaves_dt,
        min(end_dt) as next_dt
    from ends
    group by user_id, rule_id
)

select
    states.user_id,
    states.rule_id,
    states.is_on,
    states.order_cnt,
    states.moved_dt,
    moved.closed_order,
    moved.cancelled_order,
    moved.expired_order,
    leaving.leaves_dt,
    leaving.next_dt
from states
left join batch_points as moved
    on
        states.user_id = moved.user_id
        and states.rule_id = moved.rule_id
        and states.moved_dt = moved.at_dt
left join leaving
    on
        states.user_id = leaving.user_id
        and states.rule_id = leaving.rule_id;

analyze batch_folds;
