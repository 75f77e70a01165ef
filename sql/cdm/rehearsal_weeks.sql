-- One row = a week of a rehearsal, from Monday to Monday in its zone: the first from where the rehearsal begins, the last to its end.
-- From: cdm.rehearsals, batch_points
-- Grain: rehearsal_id, week
-- Rerun: adds the rows of another rehearsal
-- Params: load_dt
insert into cdm.rehearsal_weeks (rehearsal_id, week, entries, exits, exits_by_time, carried)
with weeks as (
    select
        made.id as rehearsal_id,
        monday.begins::date as week,
        made.from_dt,
        monday.begins at time zone made.zone as begin_dt,
        -- What happens at the last moment belongs to the last week.
        least((monday.begins + interval '7 days') at time zone made.zone, made.as_of + interval '1 microsecond') as end_dt
    from cdm.rehearsals as made
    cross join lateral generate_series(
        date_trunc('week', made.from_dt at time zone made.zone),
        made.as_of at time zone made.zone,
        interval '7 days'
    ) as monday (begins)
    where
        made.made_dt = %(load_dt)s::timestamptz
        and monday.begins at time zone made.zone < made.as_of
),

moves as (
    select
        at_dt,
        is_on,
        not is_on and cancelled_order is null and expired_order is not null as is_by_time
    from (
        select
            points.*,
            lag(points.is_on, 1, false) over (partition by points.user_id order by points.at_dt asc) as was_on
        from batch_points as points
    ) as placed
    where is_on <> was_on
)

select
    weeks.rehearsal_id,
    weeks.week,
    count(moves.at_dt) filter (where moves.is_on and moves.at_dt >= greatest(weeks.begin_dt, weeks.from_dt)),
    count(moves.at_dt) filter (where not moves.is_on and moves.at_dt >= greatest(weeks.begin_dt, weeks.from_dt)),
    count(moves.at_dt) filter (where moves.is_by_time and moves.at_dt >= greatest(weeks.begin_dt, weeks.from_dt)),
    count(moves.at_dt) filter (where moves.is_on) - count(moves.at_dt) filter (where not moves.is_on)
from weeks
left join moves on weeks.end_dt > moves.at_dt
group by weeks.rehearsal_id, weeks.week;
