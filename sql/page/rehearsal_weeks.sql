-- One row = a week of a rehearsal, by its Monday.
-- From: cdm.v_rehearsal_weeks
-- Params: rehearsal_id
select
    week,
    entries,
    exits,
    exits_by_time,
    carried
from cdm.v_rehearsal_weeks
where rehearsal_id = %(rehearsal_id)s
order by week asc;
