-- One row = a guest and a dish: the number of the guest's CLOSED orders that now hold the dish.
-- From: batch_guests, batch_closed_lines, batch_products
-- Grain: user_id, product_id
-- Rerun: changes nothing; a pair that falls to 0 disappears
-- Params: none
merge into cdm.user_product_counters as stored
using (
    select
        coalesce(counted.user_id, known.user_id) as user_id,
        coalesce(counted.product_id, known.product_id) as product_id,
        counted.product_name,
        counted.order_cnt
    from (
        select
            lines.h_user_pk as user_id,
            lines.h_product_pk as product_id,
            product.product_name,
            count(*) as order_cnt
        from batch_closed_lines as lines
        inner join batch_products as product on lines.h_product_pk = product.h_product_pk
        group by lines.h_user_pk, lines.h_product_pk, product.product_name
    ) as counted
    full join (
        select
            counters.user_id,
            counters.product_id
        from batch_guests as guest
        inner join cdm.user_product_counters as counters on guest.h_user_pk = counters.user_id
    ) as known
        on
            counted.user_id = known.user_id
            and counted.product_id = known.product_id
) as recounted
on
    stored.user_id = recounted.user_id
    and stored.product_id = recounted.product_id
when matched and recounted.order_cnt is null then delete
when matched
    and (stored.order_cnt, stored.product_name)
    is distinct from (recounted.order_cnt, recounted.product_name)
then update set
    product_name = recounted.product_name,
    order_cnt = recounted.order_cnt
when not matched then insert (user_id, product_id, product_name, order_cnt)
values (recounted.user_id, recounted.product_id, recounted.product_name, recounted.order_cnt);
