-- One row = a guest loses a tag, with the evidence against it.
-- From: batch_turns, batch_clock
-- Grain: user_id, tag, event
-- Rerun: adds nothing: what has been decided is in cdm.user_tags
-- Params: load_dt
insert into cdm.tag_events (
    user_id,
    tag,
    event,
    category_name,
    order_cnt,
    threshold,
    rule_version,
    event_dt,
    reason,
    effective_dt,
    as_of,
    window_days,
    exit_threshold,
    order_ids,
    trigger_order_id,
    compensates
)
select
    turn.user_id,
    turn.tag,
    turn.event,
    turn.category_name,
    turn.order_cnt,
    turn.threshold,
    turn.rule_version,
    %(load_dt)s::timestamptz,
    turn.reason,
    turn.effective_dt,
    clock.as_of,
    turn.window_days,
    turn.exit_threshold,
    turn.order_ids,
    turn.trigger_order_id,
    turn.compensates
from batch_turns as turn
cross join batch_clock as clock
where turn.event = 'revoked'
order by turn.tag asc, turn.user_id asc;
