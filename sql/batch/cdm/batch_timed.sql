-- The verdicts of timed rules join those by the counters in batch_tags.
-- From: batch_folded, batch_folds, batch_judged, cdm.user_tags
-- Rerun: dropped at the end of the transaction
-- Params: none
insert into batch_tags
with earned as (
    select
        folds.user_id,
        rule.tag,
        rule.category_name,
        folds.order_cnt,
        rule.threshold,
        rule.version,
        rule.window_days,
        rule.exit_threshold,
        folds.leaves_dt,
        folds.moved_dt
    from batch_folds as folds
    inner join batch_judged as rule on folds.rule_id = rule.rule_id
    where
        folds.is_on
        and rule.is_now
        and rule.is_timed
),

carried as (
    select
        tags.user_id,
        tags.tag
    from batch_folded as folded
    inner join cdm.user_tags as tags on folded.user_id = tags.user_id
    inner join batch_judged as rule
        on
            tags.tag = rule.tag
            and rule.is_now
            and rule.is_timed
    where coalesce(folded.tag, tags.tag) = tags.tag
)

select
    coalesce(earned.user_id, carried.user_id),
    coalesce(earned.tag, carried.tag),
    earned.category_name,
    earned.order_cnt,
    earned.threshold,
    earned.version,
    earned.window_days,
    earned.exit_threshold,
    earned.leaves_dt,
    earned.moved_dt
from earned
full join carried
    on
        earned.user_id = carried.user_id
        and earned.tag = carried.tag;

analyze batch_tags;
