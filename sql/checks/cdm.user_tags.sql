-- Law cdm.user_tags: a guest carries exactly the tags whose active rule their counter exceeds, with that evidence. Guests and rules
-- that wait to be judged are left out.
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
        and counters.order_cnt > rule.threshold
),

carried as (
    select tags.*
    from batch_checked_guests as checked
    inner join cdm.user_tags as tags on checked.h_user_pk = tags.user_id
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
