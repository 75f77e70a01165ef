-- One row = a reason for which something that arrived counts for no tag. What was refused is one row here: dead_letters.sql tells
-- its reasons apart.
-- From: cdm.v_orders_not_counted
-- Params: none
select
    reason,
    case when reason = 'refused' then '' else detail end as detail,
    sum(amount)::bigint as amount,
    unit
from cdm.v_orders_not_counted
group by reason, case when reason = 'refused' then '' else detail end, unit
order by reason asc, amount desc, detail asc;
