-- Law cdm.guest_due: nobody's moment has passed by the clock, and who carries a tag that will end is called by then. Guests who wait
-- to be judged, and tags whose rule does, are left out.
-- Over: guests
-- Params: none
select
    checked.h_user_pk as user_id,
    due.due_dt,
    ends.leaves_dt,
    clock.as_of
from batch_checked_guests as checked
cross join cdm.tag_clock as clock
left join cdm.guest_due as due on checked.h_user_pk = due.user_id
left join (
    select
        tags.user_id,
        min(tags.leaves_dt) as leaves_dt
    from batch_checked_guests as guest
    inner join cdm.user_tags as tags on guest.h_user_pk = tags.user_id
    where
        not exists (
            select 1
            from cdm.rule_queue as queue
            where queue.tag = tags.tag
        )
    group by tags.user_id
) as ends on checked.h_user_pk = ends.user_id
where
    (due.due_dt <= clock.as_of or (ends.leaves_dt is not null and coalesce(due.due_dt > ends.leaves_dt, true)))
    and not exists (
        select 1
        from dds.counter_queue as queue
        where queue.h_user_pk = checked.h_user_pk
    );
