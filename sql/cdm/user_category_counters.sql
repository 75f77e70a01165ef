-- One row = a guest and a category: the number of the guest's CLOSED orders that now hold a dish of the category.
-- From: batch_guests, batch_closed_lines, batch_products
-- Grain: user_id, category_id
-- Rerun: changes nothing; a pair that falls to 0 disappears
-- Params: none
merge into cdm.user_category_counters as stored
using (
    select
        coalesce(counted.user_id, known.user_id) as user_id,
        coalesce(counted.category_id, known.category_id) as category_id,
        counted.category_name,
        counted.order_cnt
    from (
        select
            lines.h_user_pk as user_id,
            product.h_category_pk as category_id,
            product.category_name,
            count(distinct lines.h_order_pk) as order_cnt
        from batch_closed_lines as lines
        inner join batch_products as product on lines.h_product_pk = product.h_product_pk
        where product.h_category_pk is not null
        group by lines.h_user_pk, product.h_category_pk, product.category_name
    ) as counted
    full join (
        select
            counters.user_id,
            counters.category_id
        from batch_guests as guest
        inner join cdm.user_category_counters as counters on guest.h_user_pk = counters.user_id
    ) as known
        on
            counted.user_id = known.user_id
            and counted.category_id = known.category_id
) as recounted
on
    stored.user_id = recounted.user_id
    and stored.category_id = recounted.category_id
when matched and recounted.order_cnt is null then delete
when matched and stored.order_cnt <> recounted.order_cnt then update set
    order_cnt = recounted.order_cnt
when not matched then insert (user_id, category_id, category_name, order_cnt)
values (recounted.user_id, recounted.category_id, recounted.category_name, recounted.order_cnt);
