-- How far a guest is from each tag whose category they have ordered.
-- From: cdm.v_guest_progress
-- Grain: tag
-- Rerun: reads only
-- Params: guest_id, tag (NULL: all tags in force)
select
    tag,
    category_name,
    order_cnt,
    threshold,
    window_days,
    exit_threshold,
    carries_tag,
    orders_missing,
    leaves_dt
from cdm.v_guest_progress
where
    guest_id = %(guest_id)s::varchar
    and tag is not null
    and (tag = %(tag)s::varchar or %(tag)s::varchar is null)
order by tag asc;
