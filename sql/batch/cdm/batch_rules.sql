-- Temporary: the tags whose rule has changed and which this transaction judges anew for all guests, and the version that was in force
-- before the first of the changes (NULL: none was). In the order in which they changed, until so many guests may have one of them: by
-- the rules in force and before, as the counters say. What is left waits for the next transaction; one is always taken.
-- From: cdm.rule_queue, cdm.tag_rules, cdm.tag_rule_versions, cdm.category_histogram
-- Grain: tag
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: max_rule_guests (NULL: all)
create temporary table batch_rules (
    tag varchar primary key,
    version_before integer
) on commit drop;

with changed as (
    select
        tag,
        min(id) as first_id,
        (array_agg(version_before order by id asc))[1] as version_before
    from cdm.rule_queue
    group by tag
),

rules as (
    select
        changed.tag,
        rule.category_name,
        coalesce(rule.exit_threshold, rule.threshold) as leaves_over
    from changed
    inner join cdm.tag_rules as rule on changed.tag = rule.tag
    where rule.active

    union all

    select
        changed.tag,
        known.category_name,
        coalesce(known.exit_threshold, known.threshold) as leaves_over
    from changed
    inner join cdm.tag_rule_versions as known
        on
            changed.tag = known.tag
            and changed.version_before = known.version
),

meant as (
    select
        rules.tag,
        sum(sums.guests) as guests
    from rules
    inner join cdm.category_histogram as sums
        on
            rules.category_name = sums.category_name
            and rules.leaves_over < sums.order_cnt
    group by rules.tag
),

turns as (
    select
        changed.tag,
        changed.version_before,
        coalesce(sum(meant.guests) over earlier, 0) as guests_before
    from changed
    left join meant on changed.tag = meant.tag
    window earlier as (order by changed.first_id asc rows between unbounded preceding and 1 preceding)
),

claimed as (
    delete from cdm.rule_queue as queue
    using turns
    where
        queue.tag = turns.tag
        and (
            %(max_rule_guests)s::bigint is null
            or turns.guests_before < %(max_rule_guests)s::bigint
        )
    returning turns.tag, turns.version_before
)

insert into batch_rules (tag, version_before)
select distinct
    tag,
    version_before
from claimed;
