-- One row = a rehearsal and how near guests with at least one order that counts are to the tag: 1 to 3 orders are missing, or (0) it
-- ends within 7 days.
-- From: cdm.rehearsals, batch_folds
-- Grain: rehearsal_id, orders_missing
-- Rerun: adds the rows of another rehearsal
-- Params: load_dt
insert into cdm.rehearsal_near (rehearsal_id, orders_missing, guests)
select
    made.id,
    missing.orders,
    count(folds.user_id)
from cdm.rehearsals as made
cross join generate_series(0, 3) as missing (orders)
left join batch_folds as folds
    on
        (missing.orders = 0 and folds.is_on and folds.leaves_dt <= made.as_of + interval '7 days')
        or (
            missing.orders > 0
            and not folds.is_on
            and folds.order_cnt > 0
            and made.threshold + 1 - folds.order_cnt = missing.orders
        )
where made.made_dt = %(load_dt)s::timestamptz
group by made.id, missing.orders;
