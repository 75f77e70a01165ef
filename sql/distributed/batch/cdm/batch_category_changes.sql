-- The counters by category that this transaction changes: of its guests, who are all counted anew, from what they are to the count.
-- From: batch_guests, batch_closed_lines, batch_products, cdm.user_category_counters
-- Grain: user_id, category_id
-- Rerun: emptied at the end of the transaction
-- Params: none
create temporary table batch_category_changes (
    user_id uuid,
    category_id uuid,
    category_name varchar,
    order_cnt_before integer,
    order_cnt integer
) on commit drop;

insert into batch_category_changes (user_id, category_id, category_name, order_cnt_before, order_cnt)
with counted as not materialized (
    select
        basket.user_id,
        basket.category_id,
        basket.category_name,
        count(*) as order_cnt
    from (
        select distinct
            lines.h_user_pk as user_id,
            lines.h_order_pk,
            product.h_category_pk as category_id,
            product.category_name
        from batch_closed_lines as lines
        inner join batch_products as product on lines.h_product_pk = product.h_product_pk
        where product.h_category_pk is not null
    ) as basket
    group by basket.user_id, basket.category_id, basket.category_name
),

known as not materialized (
    select
        counters.user_id,
        counters.category_id,
        counters.category_name,
        counters.order_cnt
    from batch_guests as guest
    inner join cdm.user_category_counters as counters on guest.h_user_pk = counters.user_id
)

select
    change.user_id,
    change.category_id,
    change.category_name,
    change.order_cnt_before,
    change.order_cnt
from (
    select
        coalesce(counted.user_id, known.user_id) as user_id,
        coalesce(counted.category_id, known.category_id) as category_id,
        coalesce(counted.category_name, known.category_name) as category_name,
        coalesce(known.order_cnt, 0) as order_cnt_before,
        coalesce(counted.order_cnt, 0) as order_cnt
    from counted
    full join known
        on
            counted.user_id = known.user_id
            and counted.category_id = known.category_id
) as change
where change.order_cnt <> change.order_cnt_before;
