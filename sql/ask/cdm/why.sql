-- Why a guest has a tag, or not yet: the orders that are or were theirs, those that count first.
-- From: cdm.v_why
-- Grain: tag, order_id
-- Rerun: reads only
-- Params: guest_id, tag (NULL: all tags in force)
select
    tag,
    order_id,
    status,
    closed_dt,
    counts,
    why_not,
    leaves_dt
from cdm.v_why
where
    guest_id = %(guest_id)s::varchar
    and (tag = %(tag)s::varchar or %(tag)s::varchar is null)
order by tag asc, counts desc, closed_dt desc nulls last, order_id desc;
