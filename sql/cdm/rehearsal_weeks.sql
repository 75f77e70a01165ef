-- One row = a week of a rehearsal, from Monday to Monday in its zone: the first from where the rehearsal begins, the last to its end.
-- From: cdm.rehearsals, batch_points
-- Grain: rehearsal_id, week
-- Rerun: adds the rows of another rehearsal
-- Params: from_dt, load_dt
insert into cdm.rehearsal_weeks (rehearsal_id, week, entries, exits, exits_by_time, carried)
with weeks as (
    select
        made.id as rehearsal_id,
        monday.begins::date as week,
        monday.begins at time zone made.zone as begin_dt,
        row_number() over (order by monday.begins asc) as number
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

-- By the number of its week; 0: before the first. Nothing is later than the rehearsal's own moment.
moves as (
    select
        width_bucket(at_dt, (select array_agg(weeks.begin_dt order by weeks.number) from weeks)) as number,
        at_dt >= %(from_dt)s::timestamptz as is_within,
        is_on,
        not is_on and cancelled_order is null and expired_order is not null as is_by_time
    from (
        select
            points.*,
            lag(points.is_on, 1, false) over (partition by points.user_id order by points.at_dt asc) as was_on
        from batch_points as points
    ) as placed
    where is_on <> was_on
),

sums as (
    select
        number,
        count(*) filter (where is_within and is_on) as entries,
        count(*) filter (where is_within and not is_on) as exits,
        count(*) filter (where is_within and is_by_time) as exits_by_time,
        count(*) filter (where is_on) - count(*) filter (where not is_on) as more
    from moves
    group by number
)

select
    weeks.rehearsal_id,
    weeks.week,
    coalesce(sums.entries, 0),
    coalesce(sums.exits, 0),
    coalesce(sums.exits_by_time, 0),
    (
        select coalesce(sum(until_then.more), 0)
        from sums as until_then
        where until_then.number <= weeks.number
    )
from weeks
left join sums on weeks.number = sums.number;
