-- Law cdm.rehearsal_near: a rehearsal tells of each of 0 to 3 missing orders how many guests miss them; who leaves soon carries it.
-- Over: all, once a round
-- Params: none
select
    made.id,
    made.guests,
    missing.orders,
    near.guests as guests_near
from cdm.rehearsals as made
cross join generate_series(0, 3) as missing (orders)
left join cdm.rehearsal_near as near
    on
        made.id = near.rehearsal_id
        and missing.orders = near.orders_missing
where
    near.guests is null
    or near.guests < 0
    or (missing.orders = 0 and near.guests > made.guests);
