-- Temporary: whose orders are folded: the guests of the batch under all timed rules (no tag); under a timed rule that has changed
-- whoever may carry its tag: enough orders count for them now, or they carry it, or a version of an order of theirs is dated ahead;
-- and whoever gets or loses a tag by the counters, for the evidence. Enough: by the counters, and, where all rules that have changed
-- have windows, so many were CLOSED within the longest of these.
-- From: batch_guests, batch_judged, batch_tags, batch_clock, cdm.user_category_counters, cdm.user_tags, dds.s_order_status,
-- dds.es_order_user
-- Grain: user_id, tag
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_folded (
    user_id uuid,
    tag varchar
) on commit drop;

insert into batch_folded (user_id, tag)
with changed as (
    select *
    from batch_judged
    where
        is_now
        and is_timed
        and is_changed
),

longest as (
    select
        min(as_of - window_days * interval '24 hours') as from_dt,
        min(leaves_over) as leaves_over
    from changed
    having bool_and(window_days is not null)
),

lately as materialized (
    select owner.h_user_pk as user_id
    from dds.s_order_status as status
    inner join dds.es_order_user as owner on status.h_order_pk = owner.h_order_pk
    where
        -- Asked first, as below.
        exists (select 1 from longest)
        and status.status = 'CLOSED'
        and status.effective_dttm > (select longest.from_dt from longest)
    group by owner.h_user_pk
    having count(distinct status.h_order_pk) > (select longest.leaves_over from longest)
),

named as (
    select
        counters.user_id,
        changed.tag
    from changed
    inner join cdm.user_category_counters as counters on changed.category_id = counters.category_id
    where
        counters.order_cnt > changed.leaves_over
        and (
            not exists (select 1 from longest)
            or counters.user_id in (select lately.user_id from lately)
        )

    union all

    select
        carried.user_id,
        carried.tag
    from changed
    inner join cdm.user_tags as carried on changed.tag = carried.tag

    union all

    select
        owner.h_user_pk as user_id,
        changed.tag
    from changed
    cross join batch_clock as clock
    inner join dds.s_order_status as status on clock.as_of < status.effective_dttm
    inner join dds.es_order_user as owner on status.h_order_pk = owner.h_order_pk
    -- Asked first: it looks at every order.
    where
        owner.h_user_pk <> dds.erased_guest()
        and exists (
            select 1
            from batch_judged as rule
            where
                rule.is_now
                and rule.is_timed
                and rule.is_changed
        )
),

-- Sorted and not hashed: for as many as there might be memory was taken and cleared, 14 ms of a minute in which no rule has changed.
candidates as (
    select distinct on (user_id, tag)
        user_id,
        tag
    from named
    order by user_id asc, tag asc
)

select
    h_user_pk,
    null
from batch_guests
where
    exists (
        select 1
        from batch_judged as rule
        where rule.is_timed
    )

union all

select
    candidates.user_id,
    candidates.tag
from candidates
left join batch_guests as guest on candidates.user_id = guest.h_user_pk
where guest.h_user_pk is null

union all

select
    verdict.user_id,
    verdict.tag
from batch_tags as verdict
left join cdm.user_tags as carried
    on
        verdict.user_id = carried.user_id
        and verdict.tag = carried.tag
where (verdict.rule_version is not null) <> (carried.user_id is not null);

analyze batch_folded;
