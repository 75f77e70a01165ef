-- Temporary: the rules by which this transaction judges: those in force and, of tags whose rule has changed, the version before, which
-- says whether the rule or the orders are the reason. A tag whose rule has a window or an exit threshold is timed: it is judged by
-- folding the orders as of the clock. Others are judged by the counters, which count what is dated ahead as well.
-- From: batch_rules, batch_waiting, batch_clock, cdm.tag_rules, cdm.tag_rule_versions, dds.h_category
-- Grain: rule_id; tag, among those in force
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_judged (
    rule_id integer,
    tag varchar,
    version integer,
    category_id uuid,
    category_name varchar,
    threshold integer,
    exit_threshold integer,
    window_days integer,
    is_now boolean,
    is_changed boolean,
    is_timed boolean,
    leaves_over integer,
    as_of timestamptz
) on commit drop;

insert into batch_judged
with rules as (
    select
        rule.tag,
        rule.version,
        rule.category_name,
        rule.threshold,
        rule.exit_threshold,
        rule.window_days,
        true as is_now,
        changed.tag is not null as is_changed
    from cdm.tag_rules as rule
    left join batch_rules as changed on rule.tag = changed.tag
    where
        rule.active
        and rule.tag not in (select waiting.tag from batch_waiting as waiting)

    union all

    select
        known.tag,
        known.version,
        known.category_name,
        known.threshold,
        known.exit_threshold,
        known.window_days,
        false as is_now,
        true as is_changed
    from batch_rules as changed
    inner join cdm.tag_rule_versions as known
        on
            changed.tag = known.tag
            and changed.version_before = known.version
    left join cdm.tag_rules as rule
        on
            changed.tag = rule.tag
            and rule.active
    where rule.version is distinct from known.version
)

select
    row_number() over (),
    rules.tag,
    rules.version,
    category.h_category_pk,
    rules.category_name,
    rules.threshold,
    rules.exit_threshold,
    rules.window_days,
    rules.is_now,
    rules.is_changed,
    bool_or(rules.is_now and num_nonnulls(rules.window_days, rules.exit_threshold) > 0) over (partition by rules.tag),
    coalesce(rules.exit_threshold, rules.threshold),
    case when num_nonnulls(rules.window_days, rules.exit_threshold) > 0 then clock.as_of else 'infinity' end
from rules
cross join batch_clock as clock
inner join dds.h_category as category on rules.category_name = category.category_name;

analyze batch_judged;
