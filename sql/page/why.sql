-- One row = an order of the guest and a rule in force: whether it counts for the tag, and why not; the newest first.
-- From: cdm.v_why
-- Params: guest_id, tag (NULL: all)
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
    guest_id = %(guest_id)s
    and (%(tag)s::text is null or tag = %(tag)s)
order by tag asc, counts desc, closed_dt desc nulls last, order_id desc
limit 1000;
