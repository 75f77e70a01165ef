-- Temporary: the verdicts of this run, one for each guest and tag in question: the guests of the batch under every rule, and all
-- guests under the rules that have changed. A tag in question that the guest carries and no rule gives has no rule_version.
-- From: batch_guests, batch_rules, cdm.tag_rules, cdm.user_category_counters, cdm.user_tags, dds.h_category
-- Grain: user_id, tag
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_tags (
    user_id uuid,
    tag varchar,
    category_name varchar,
    order_cnt integer,
    threshold integer,
    rule_version integer
) on commit drop;

insert into batch_tags
with rules as (
    select
        rule.tag,
        rule.category_name,
        rule.threshold,
        rule.version,
        category.h_category_pk,
        changed.tag is not null as is_changed
    from cdm.tag_rules as rule
    inner join dds.h_category as category on rule.category_name = category.category_name
    left join batch_rules as changed on rule.tag = changed.tag
    where rule.active
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
    inner join rules on counters.category_id = rules.h_category_pk
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
    inner join cdm.user_category_counters as counters on rules.h_category_pk = counters.category_id
    where
        rules.is_changed
        and counters.order_cnt > rules.threshold
),

carried as (
    select
        tags.user_id,
        tags.tag
    from batch_guests as guest
    inner join cdm.user_tags as tags on guest.h_user_pk = tags.user_id

    union

    select
        tags.user_id,
        tags.tag
    from batch_rules as changed
    inner join cdm.user_tags as tags on changed.tag = tags.tag
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
