-- One row = a rehearsal of a rule: what it would do.
-- From: cdm.v_rehearsal
-- Params: rehearsal_id
select
    rehearsal_id,
    tag,
    category_name,
    threshold,
    window_days,
    exit_threshold,
    from_dt,
    as_of,
    zone,
    guests,
    would_enter,
    would_leave,
    kept_by_hysteresis,
    flapping_guests,
    most_entries,
    dated_ahead,
    made_by,
    made_dt
from cdm.v_rehearsal
where rehearsal_id = %(rehearsal_id)s;
