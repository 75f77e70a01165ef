-- Law cdm.rehearsal_weeks: of a rehearsal each week ends with those of the week before, and who came, without who went; the last with
-- the guests of the rehearsal.
-- Over: all, once a round
-- Params: none
select
    told.rehearsal_id,
    told.week,
    told.carried_before,
    told.entries,
    told.exits,
    told.exits_by_time,
    told.carried,
    made.guests
from (
    select
        weeks.*,
        lag(weeks.carried) over timeline as carried_before,
        lead(weeks.week) over timeline as week_after
    from cdm.rehearsal_weeks as weeks
    window timeline as (partition by weeks.rehearsal_id order by weeks.week asc)
) as told
inner join cdm.rehearsals as made on told.rehearsal_id = made.id
where
    told.carried <> told.carried_before + told.entries - told.exits
    or told.exits_by_time > told.exits
    or (told.week_after is null and told.carried <> made.guests);
