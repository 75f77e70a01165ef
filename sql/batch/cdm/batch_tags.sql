-- Temporary: the verdicts of this run, one for each guest and tag in question: the guests of the batch under every rule, and all
-- guests under the rules that have changed. A tag in question that the guest carries and no rule gives has no rule_version.
-- Here those by the counters; those of timed rules come by batch_timed.
-- From: batch_guests, batch_rules, batch_waiting, batch_judged, cdm.user_category_counters, cdm.user_tags
-- Grain: user_id, tag
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_tags (
    user_id uuid,
    tag varchar,
    category_name varchar,
    order_cnt integer,
    threshold integer,
    rule_version integer,
    window_days integer,
    exit_threshold integer,
    leaves_dt timestamptz,
    since_dt timestamptz
) on commit drop;

insert into batch_tags (user_id, tag, category_name, order_cnt, threshold, rule_version)
with rules as (
    select *
    from batch_judged
    where
        is_now
        and not is_timed
),

earned as (
    select
        counters.user_id,
        rules.tag,
        rules.category_name,
        counters.order_cnt,
        rules.threshold,
        rules.version
    from batch_guests as guest
    inner join cdm.user_category_counters as counters on guest.h_user_pk = counters.user_id
    inner join rules on counters.category_id = rules.category_id
    where counters.order_cnt > rules.threshold

    union

    select
        counters.user_id,
        rules.tag,
        rules.category_name,
        counters.order_cnt,
        rules.threshold,
        rules.version
    from rules
    inner join cdm.user_category_counters as counters on rules.category_id = counters.category_id
    where
        rules.is_changed
        and counters.order_cnt > rules.threshold
),

in_question as (
    select
        tags.user_id,
        tags.tag
    from batch_guests as guest
    inner join cdm.user_tags as tags on guest.h_user_pk = tags.user_id
    where tags.tag not in (select waiting.tag from batch_waiting as waiting)

    union

    select
        tags.user_id,
        tags.tag
    from batch_rules as changed
    inner join cdm.user_tags as tags on changed.tag = tags.tag
),

carried as (
    select
        in_question.user_id,
        in_question.tag
    from in_question
    where
        not exists (
            select 1
            from batch_judged as rule
            where
                rule.tag = in_question.tag
                and rule.is_timed
        )
)

select
    coalesce(earned.user_id, carried.user_id),
    coalesce(earned.tag, carried.tag),
    earned.category_name,
    earned.order_cnt,
    earned.threshold,
    earned.version
from earned
full join carried
    on
        earned.user_id = carried.user_id
        and earned.tag = carried.tag;

analyze batch_tags;
