-- One row = a category and a value of its counters: how many guests have it. What the batch changes is taken out as it was and put in
-- as it is now.
-- From: batch_category_changes
-- Grain: category_id, order_cnt
-- Rerun: changes nothing; a row that falls to 0 disappears
-- Params: none
create temporary table batch_category_histogram (
    category_id uuid,
    category_name varchar,
    order_cnt integer,
    guests bigint
) on commit drop;

-- Said without a union: of one the workers would send the rows, of this their sums.
insert into batch_category_histogram
select
    category_id,
    max(category_name) as category_name,
    order_cnt,
    sum(guests) as guests
from (
    select
        category_id,
        category_name,
        unnest(array[order_cnt, order_cnt_before]) as order_cnt,
        unnest(array[1, -1]) as guests
    from batch_category_changes
) as moved
where order_cnt > 0
group by category_id, order_cnt
having sum(guests) <> 0;

merge into cdm.category_histogram as stored
using batch_category_histogram as change
on
    stored.category_id = change.category_id
    and stored.order_cnt = change.order_cnt
when matched and stored.guests + change.guests = 0 then delete
when matched then update set
    guests = stored.guests + change.guests
when not matched then insert (category_id, category_name, order_cnt, guests)
values (change.category_id, change.category_name, change.order_cnt, change.guests);
