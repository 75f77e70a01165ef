-- One row = a rule was rehearsed: what it would do, by the folds of all guests.
-- From: batch_judged, batch_folds, batch_points, batch_folded, cdm.user_tags, cdm.tag_rules, cdm.tag_clock, cdm.rule_queue,
-- dds.counter_queue, dds.es_order_user, dds.s_order_status
-- Grain: id
-- Rerun: adds a row: a rehearsal of another moment
-- Params: tag, category, threshold, window_days, exit_threshold, from_dt, as_of, zone, made_by, load_dt
insert into cdm.rehearsals (
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
    made_dt,
    rule_version,
    facts_dt
)
with stands as (
    select
        coalesce(folds.is_on, false) as is_on,
        carried.user_id is not null as is_carried,
        folds.order_cnt
    from batch_folds as folds
    full join (
        select user_id
        from cdm.user_tags
        where tag = %(tag)s::varchar
    ) as carried on folds.user_id = carried.user_id
),

entered as (
    select
        user_id,
        count(*) as entries
    from (
        select
            user_id,
            at_dt,
            is_on,
            lag(is_on, 1, false) over (partition by user_id order by at_dt asc) as was_on
        from batch_points
    ) as points
    where
        is_on
        and not was_on
        and at_dt >= %(from_dt)s::timestamptz
    group by user_id
),

in_force as (
    select version
    from cdm.tag_rules
    where
        tag = %(tag)s::varchar
        and active
),

-- Where the tags stand as of this moment, and nothing waits to be judged: by which facts.
settled as (
    select coalesce(load_dt, '-infinity') as facts_dt
    from cdm.tag_clock
    where
        as_of = %(as_of)s::timestamptz
        and not exists (select 1 from dds.counter_queue)
        and not exists (select 1 from cdm.rule_queue)
)

select
    %(tag)s::varchar,
    %(category)s::varchar,
    %(threshold)s::integer,
    %(window_days)s::integer,
    %(exit_threshold)s::integer,
    %(from_dt)s::timestamptz,
    %(as_of)s::timestamptz,
    %(zone)s::varchar,
    count(*) filter (where is_on),
    count(*) filter (where is_on and not is_carried),
    count(*) filter (where is_carried and not is_on),
    count(*) filter (where is_on and order_cnt <= %(threshold)s::integer),
    (
        select count(*)
        from entered
        where entered.entries > 1
    ),
    (
        select coalesce(max(entered.entries), 0)
        from entered
    ),
    (
        select count(distinct owner.h_order_pk)
        from batch_folded as folded
        cross join batch_judged as rule
        inner join dds.es_order_user as owner on folded.user_id = owner.h_user_pk
        inner join dds.s_order_status as version
            on
                owner.h_order_pk = version.h_order_pk
                and rule.as_of < version.effective_dttm
    ),
    %(made_by)s::varchar,
    %(load_dt)s::timestamptz,
    (select in_force.version from in_force),
    (select settled.facts_dt from settled)
from stands;
