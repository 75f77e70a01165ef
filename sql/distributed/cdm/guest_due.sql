-- One row = a guest whom time alone changes next: one of the orders that give them a timed tag stops counting, so that the count or
-- the tag changes, or a version of an order that is dated ahead begins. Of guests who were folded under some rules only, the sooner
-- of that and what was known: who comes too soon is judged once more, and no harm is done.
-- From: batch_guests, batch_folded, batch_folds, batch_judged, batch_clock, dds.es_order_user, dds.s_order_status
-- Grain: user_id
-- Rerun: changes nothing
-- Params: none
create temporary table batch_due (
    user_id uuid,
    is_whole boolean,
    due_dt timestamptz
) on commit drop;

insert into batch_due (user_id, is_whole, due_dt)
with timed as (
    select
        user_id,
        bool_or(tag is null) as is_whole
    from batch_folded
    where
        tag is null
        or exists (
            select 1
            from batch_judged as rule
            where
                rule.tag = batch_folded.tag
                and rule.is_timed
        )
    group by user_id
),

ends as (
    select
        folds.user_id,
        min(folds.next_dt) as due_dt
    from batch_folds as folds
    inner join batch_judged as rule on folds.rule_id = rule.rule_id
    where
        rule.is_now
        and rule.is_timed
    group by folds.user_id
),

ahead as (
    select
        timed.user_id,
        min(status.effective_dttm) as due_dt
    from timed
    cross join batch_clock as clock
    inner join dds.es_order_user as owner on timed.user_id = owner.h_user_pk
    inner join dds.s_order_status as status
        on
            owner.h_order_pk = status.h_order_pk
            and clock.as_of < status.effective_dttm
    group by timed.user_id
),

-- Those whose moment has come leave, also where no rule is timed any more.
touched as (
    select
        user_id,
        is_whole
    from timed

    union all

    select
        guest.h_user_pk as user_id,
        true as is_whole
    from batch_guests as guest
    where
        not exists (
            select 1
            from timed
            where timed.user_id = guest.h_user_pk
        )
)

select
    touched.user_id,
    touched.is_whole,
    least(ends.due_dt, ahead.due_dt) as due_dt
from touched
left join ends on touched.user_id = ends.user_id
left join ahead on touched.user_id = ahead.user_id;

merge into cdm.guest_due as stored
using batch_due as known
on stored.user_id = known.user_id
when matched and known.is_whole and known.due_dt is null then delete
when matched and known.due_dt <> stored.due_dt and (known.is_whole or known.due_dt < stored.due_dt)
then update set due_dt = known.due_dt
when not matched and known.due_dt is not null then insert (user_id, due_dt)
values (known.user_id, known.due_dt);
