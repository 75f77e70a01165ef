-- One row = a guest who carries the tag, the newest first.
-- From: cdm.v_guest_tags
-- Params: tag, limit
select
    guest_id,
    order_cnt,
    threshold,
    assigned_dt
from cdm.v_guest_tags
where tag = %(tag)s
order by assigned_dt desc, guest_id asc
limit %(limit)s;
