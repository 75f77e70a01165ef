-- Law stg.backups.age: where dumps are made there is a good one within the time that is promised; where they are restored as a test,
-- that was done within its time and the newest was good.
-- Over: all
-- Params: dumped_before, restored_before
with tries as (
    select
        kind,
        max(finished_dt) filter (where is_good) as good_dt,
        min(finished_dt) as first_dt,
        max(finished_dt) as tried_dt,
        (array_agg(is_good order by id desc))[1] as is_good_now,
        (array_agg(detail order by id desc))[1] as detail
    from stg.backups
    group by kind
)

select
    kind,
    good_dt,
    tried_dt,
    detail
from tries
where
    (
        kind = 'dump'
        and coalesce(good_dt, first_dt) < %(dumped_before)s::timestamptz
    )
    or (
        kind = 'restore'
        and (not is_good_now or good_dt < %(restored_before)s::timestamptz)
    );
