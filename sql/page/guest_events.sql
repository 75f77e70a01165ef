-- One row = a tag that the guest got or lost, with the evidence.
-- From: cdm.v_tag_events
-- Params: guest_id, tag (NULL: all)
select
    tag,
    event,
    category_name,
    order_cnt,
    threshold,
    rule_version,
    event_dt,
    reason,
    effective_dt,
    window_days,
    trigger_order_id
from cdm.v_tag_events
where
    guest_id = %(guest_id)s
    and (%(tag)s::text is null or tag = %(tag)s)
order by event_dt desc, tag asc
limit 200;
