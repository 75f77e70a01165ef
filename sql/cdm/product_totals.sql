-- One row = a dish: its guests and their orders. The batch's guests are taken out as they were and put in as they are now.
-- From: batch_guests, batch_products_before, cdm.user_product_counters
-- Grain: product_id
-- Rerun: changes nothing; a row that falls to 0 disappears
-- Params: none
merge into cdm.product_totals as stored
using (
    select
        product_id,
        sum(guests) as guests,
        sum(order_cnt) as order_cnt
    from (
        select
            counters.product_id,
            count(*) as guests,
            sum(counters.order_cnt) as order_cnt
        from batch_guests as guest
        inner join cdm.user_product_counters as counters on guest.h_user_pk = counters.user_id
        group by counters.product_id

        union all

        select
            product_id,
            -guests,
            -order_cnt
        from batch_products_before
    ) as moved
    group by product_id
    having sum(guests) <> 0 or sum(order_cnt) <> 0
) as change
on stored.product_id = change.product_id
when matched and stored.guests + change.guests = 0 then delete
when matched then update set
    guests = stored.guests + change.guests,
    order_cnt = stored.order_cnt + change.order_cnt
when not matched then insert (product_id, guests, order_cnt)
values (change.product_id, change.guests, change.order_cnt);
