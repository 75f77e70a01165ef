-- One row = a guest and a category: the number of the guest's CLOSED orders that now hold a dish of the category.
-- From: batch_category_changes
-- Grain: user_id, category_id
-- Rerun: changes nothing; a pair that falls to 0 disappears
-- Params: none
merge into cdm.user_category_counters as stored
using batch_category_changes as change
on
    stored.user_id = change.user_id
    and stored.category_id = change.category_id
when matched and change.order_cnt = 0 then delete
when matched then update set
    order_cnt = change.order_cnt
when not matched then insert (id, user_id, category_id, category_name, order_cnt)
values (
    hashtextextended(change.user_id::text || change.category_id::text, 0),
    change.user_id,
    change.category_id,
    change.category_name,
    change.order_cnt
);
