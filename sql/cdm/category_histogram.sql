-- One row = a category and a value of its counters: how many guests have it. The batch's guests are taken out as they were and put
-- in as they are now.
-- From: batch_guests, batch_categories_before, cdm.user_category_counters
-- Grain: category_id, order_cnt
-- Rerun: changes nothing; a row that falls to 0 disappears
-- Params: none
merge into cdm.category_histogram as stored
using (
    select
        category_id,
        max(category_name) as category_name,
        order_cnt,
        sum(guests) as guests
    from (
        select
            counters.category_id,
            max(counters.category_name) as category_name,
            counters.order_cnt,
            count(*) as guests
        from batch_guests as guest
        inner join cdm.user_category_counters as counters on guest.h_user_pk = counters.user_id
        group by counters.category_id, counters.order_cnt

        union all

        select
            category_id,
            category_name,
            order_cnt,
            -guests
        from batch_categories_before
    ) as moved
    group by category_id, order_cnt
    having sum(guests) <> 0
) as change
on
    stored.category_id = change.category_id
    and stored.order_cnt = change.order_cnt
when matched and stored.guests + change.guests = 0 then delete
when matched then update set
    guests = stored.guests + change.guests
when not matched then insert (category_id, category_name, order_cnt, guests)
values (change.category_id, change.category_name, change.order_cnt, change.guests);
