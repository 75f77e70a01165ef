-- A rehearsal as people read it: what it came to, with its weeks and how near guests are.
-- From: cdm.rehearsals, cdm.rehearsal_weeks, cdm.rehearsal_near, cdm.rehearsal_overlaps
-- Grain: one row
-- Rerun: reads only
-- Params: load_dt
select
    made.id,
    made.guests,
    made.would_enter,
    made.would_leave,
    made.kept_by_hysteresis,
    made.flapping_guests,
    made.most_entries,
    made.dated_ahead,
    (
        select json_agg(json_build_array(week.week, week.entries, week.exits, week.exits_by_time, week.carried) order by week.week)
        from cdm.rehearsal_weeks as week
        where week.rehearsal_id = made.id
    ) as weeks,
    (
        select json_agg(json_build_array(near.orders_missing, near.guests) order by near.orders_missing)
        from cdm.rehearsal_near as near
        where near.rehearsal_id = made.id
    ) as near_misses,
    (
        select
            json_agg(
                json_build_array(overlap.tag, overlap.both_have, overlap.only_draft, overlap.only_tag)
                order by overlap.both_have desc, overlap.tag asc
            )
        from cdm.rehearsal_overlaps as overlap
        where overlap.rehearsal_id = made.id
    ) as overlaps
from cdm.rehearsals as made
where made.made_dt = %(load_dt)s::timestamptz;
