-- Temporary: the moments at which the number of orders that count changed, for a guest under a rule, as of the rule's moment: how many
-- count from then on, whether the guest has the tag from then on, and which order did it: one that was closed, cancelled (or closed
-- no longer for another cause), or stopped counting as its window ended. Changes of one moment are one.
-- On: the last moment with more than the threshold is later than the last with no more than the exit threshold.
-- From: batch_intervals, batch_judged, batch_folded
-- Grain: user_id, rule_id, at_dt
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_points (
    user_id uuid,
    rule_id integer,
    at_dt timestamptz,
    order_cnt integer,
    is_on boolean,
    closed_order bigint,
    cancelled_order bigint,
    expired_order bigint
) on commit drop;

insert into batch_points
-- Asked for by a tag, or as a guest of the batch under all timed rules: in one join a guest's many tags met all of their orders.
with asked as (
    select
        intervals.*,
        rule.rule_id,
        rule.as_of,
        rule.window_days * interval '24 hours' as window_length
    from batch_folded as folded
    inner join batch_judged as rule on folded.tag = rule.tag
    inner join batch_intervals as intervals
        on
            folded.user_id = intervals.user_id
            and rule.category_id = intervals.category_id

    union all

    select
        intervals.*,
        rule.rule_id,
        rule.as_of,
        rule.window_days * interval '24 hours' as window_length
    from batch_intervals as intervals
    inner join batch_judged as rule on intervals.category_id = rule.category_id
    inner join batch_folded as folded on intervals.user_id = folded.user_id
    where
        rule.is_timed
        and folded.tag is null
),

counted as (
    select
        user_id,
        rule_id,
        as_of,
        order_id,
        from_dt,
        least(to_dt, from_dt + window_length) as until_dt,
        coalesce(to_dt > from_dt + window_length, window_length is not null) as is_expiry
    from asked
    where from_dt <= as_of
),

steps as (
    select
        user_id,
        rule_id,
        from_dt as at_dt,
        1 as step,
        order_id as closed_order,
        null::bigint as cancelled_order,
        null::bigint as expired_order
    from counted

    union all

    select
        user_id,
        rule_id,
        until_dt as at_dt,
        -1 as step,
        null::bigint as closed_order,
        case when not is_expiry then order_id end as cancelled_order,
        case when is_expiry then order_id end as expired_order
    from counted
    where until_dt <= as_of
),

moments as (
    select
        user_id,
        rule_id,
        at_dt,
        sum(sum(step)) over (partition by user_id, rule_id order by at_dt asc) as order_cnt,
        max(closed_order) as closed_order,
        max(cancelled_order) as cancelled_order,
        max(expired_order) as expired_order
    from steps
    group by user_id, rule_id, at_dt
)

select
    moments.user_id,
    moments.rule_id,
    moments.at_dt,
    moments.order_cnt,
    coalesce(
        max(moments.at_dt) filter (where moments.order_cnt > rule.threshold) over until_then
        > coalesce(max(moments.at_dt) filter (where moments.order_cnt <= rule.leaves_over) over until_then, '-infinity'),
        false
    ),
    moments.closed_order,
    moments.cancelled_order,
    moments.expired_order
from moments
inner join batch_judged as rule on moments.rule_id = rule.rule_id
window until_then as (partition by moments.user_id, moments.rule_id order by moments.at_dt asc);

analyze batch_points;
