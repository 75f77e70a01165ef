-- One row = a category that a guest orders from and a rule of it: has the tag, or how many closed orders are missing.
-- From: cdm.v_guest_progress
-- Params: guest_id, tag (NULL: all)
select
    category_name,
    order_cnt,
    tag,
    threshold,
    carries_tag,
    orders_missing,
    window_days,
    exit_threshold,
    leaves_dt
from cdm.v_guest_progress
where
    guest_id = %(guest_id)s
    and (%(tag)s::text is null or tag = %(tag)s)
order by carries_tag desc nulls last, orders_missing asc nulls last, order_cnt desc, category_name asc, tag asc;
