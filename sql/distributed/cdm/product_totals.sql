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

-- Said without a union: of one the workers would send the rows, of this their sums.
insert into batch_product_totals
select
    product_id,
    sum((order_cnt > 0)::integer - (order_cnt_before > 0)::integer) as guests,
    sum(order_cnt - order_cnt_before) as order_cnt
from batch_product_changes
group by product_id
having
    sum((order_cnt > 0)::integer - (order_cnt_before > 0)::integer) <> 0
    or sum(order_cnt - order_cnt_before) <> 0;

merge into cdm.product_totals as stored
using batch_product_totals as change
on stored.product_id = change.product_id
when matched and stored.guests + change.guests = 0 then delete
when matched then update set
    guests = stored.guests + change.guests,
    order_cnt = stored.order_cnt + change.order_cnt
when not matched then insert (product_id, guests, order_cnt)
values (change.product_id, change.guests, change.order_cnt);
