-- One row = a guest and a dish: the number of the guest's CLOSED orders that now hold the dish.
-- From: batch_product_changes
-- Grain: user_id, product_id
-- Rerun: changes nothing; a pair that falls to 0 disappears
-- Params: none
merge into cdm.user_product_counters as stored
using batch_product_changes as change
on
    stored.user_id = change.user_id
    and stored.product_id = change.product_id
when matched and change.order_cnt = 0 then delete
when matched then update set
    product_name = change.product_name,
    order_cnt = change.order_cnt
when not matched then insert (id, user_id, product_id, product_name, order_cnt)
values (
    hashtextextended(change.user_id::text || change.product_id::text, 0),
    change.user_id,
    change.product_id,
    change.product_name,
    change.order_cnt
);
