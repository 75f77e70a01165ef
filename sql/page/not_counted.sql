-- One row = a reason for which something that arrived counts for no tag.
-- From: cdm.v_orders_not_counted
-- Params: none
select
    reason,
    detail,
    amount,
    unit
from cdm.v_orders_not_counted
order by reason asc, amount desc, detail asc;
