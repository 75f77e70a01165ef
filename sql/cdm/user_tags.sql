-- One row = a guest carries a tag now.
-- From: batch_tags
-- Grain: user_id, tag
-- Rerun: changes nothing
-- Params: load_dt
merge into cdm.user_tags as carried
using batch_tags as verdict
on
    carried.user_id = verdict.user_id
    and carried.tag = verdict.tag
when matched and verdict.rule_version is null then delete
when matched
    and (
        carried.category_name,
        carried.order_cnt,
        carried.threshold,
        carried.rule_version,
        carried.window_days,
        carried.exit_threshold,
        carried.leaves_dt,
        carried.since_dt
    )
    is distinct from (
        verdict.category_name,
        verdict.order_cnt,
        verdict.threshold,
        verdict.rule_version,
        verdict.window_days,
        verdict.exit_threshold,
        verdict.leaves_dt,
        verdict.since_dt
    )
then update set
    category_name = verdict.category_name,
    order_cnt = verdict.order_cnt,
    threshold = verdict.threshold,
    rule_version = verdict.rule_version,
    window_days = verdict.window_days,
    exit_threshold = verdict.exit_threshold,
    leaves_dt = verdict.leaves_dt,
    since_dt = verdict.since_dt
when not matched then insert (
    user_id,
    tag,
    category_name,
    order_cnt,
    threshold,
    rule_version,
    assigned_dt,
    window_days,
    exit_threshold,
    leaves_dt,
    since_dt
)
values (
    verdict.user_id,
    verdict.tag,
    verdict.category_name,
    verdict.order_cnt,
    verdict.threshold,
    verdict.rule_version,
    %(load_dt)s::timestamptz,
    verdict.window_days,
    verdict.exit_threshold,
    verdict.leaves_dt,
    verdict.since_dt
);
