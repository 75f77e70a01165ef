-- One row = guests who lack so many orders of a rehearsed tag; 0: those who leave it within 7 days.
-- From: cdm.v_rehearsal_near
-- Params: rehearsal_id
select
    orders_missing,
    guests
from cdm.v_rehearsal_near
where rehearsal_id = %(rehearsal_id)s
order by orders_missing asc;
