-- One row = a dish: its guests and their orders. What the batch changes is taken out as it was and put in as it is now.
-- From: batch_product_changes
-- Grain: product_id
-- Rerun: changes nothing; a row that falls to 0 disappears
-- Params: none
create temporary table batch_product_totals (
    product_id uuid,
    guests bigint,
    order_cnt bigint
) on commit drop;

insert into batch_product_totals
select
    product_id,
    sum(guests) as guests,
    sum(order_cnt) as order_cnt
from (
    select
        product_id,
        1 as guests,
        order_cnt
    from batch_product_changes
    where order_cnt > 0

    union all

    select
        product_id,
        -1,
        -order_cnt_before
    from batch_product_changes
    where order_cnt_before > 0
) as moved
group by product_id
having sum(guests) <> 0 or sum(order_cnt) <> 0;

merge into cdm.product_totals as stored
using batch_product_totals as change
on stored.product_id = change.product_id
when matched and stored.guests + change.guests = 0 then delete
when matched then update set
    guests = stored.guests + change.guests,
    order_cnt = stored.order_cnt + change.order_cnt
when not matched then insert (product_id, guests, order_cnt)
values (change.product_id, change.guests, change.order_cnt);
