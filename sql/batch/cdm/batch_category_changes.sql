-- Temporary: the counters by category that this transaction changes, as batch_product_changes has those by dish. A basket counts once
-- for a category, however many of its dishes belong to it.
-- From: batch_guests, batch_closed_lines, batch_products, cdm.user_category_counters
-- Grain: user_id, category_id
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_category_changes (
    user_id uuid,
    category_id uuid,
    category_name varchar,
    order_cnt_before integer,
    order_cnt integer
) on commit drop;

insert into batch_category_changes
with counted as (
    select
        basket.user_id,
        basket.category_id,
        basket.category_name,
        sum(basket.change) as change
    from (
        select distinct
            lines.h_user_pk as user_id,
            lines.h_order_pk,
            lines.claim_id,
            lines.change,
            product.h_category_pk as category_id,
            product.category_name
        from batch_closed_lines as lines
        inner join batch_products as product on lines.h_product_pk = product.h_product_pk
        where product.h_category_pk is not null
    ) as basket
    group by basket.user_id, basket.category_id, basket.category_name
),

known as (
    select
        counters.user_id,
        counters.category_id,
        counters.category_name,
        counters.order_cnt,
        0 as kept
    from batch_guests as guest
    inner join cdm.user_category_counters as counters on guest.h_user_pk = counters.user_id
    where guest.is_recounted

    union all

    select
        counters.user_id,
        counters.category_id,
        counters.category_name,
        counters.order_cnt,
        counters.order_cnt as kept
    from batch_guests as guest
    inner join counted on guest.h_user_pk = counted.user_id
    inner join cdm.user_category_counters as counters
        on
            counted.user_id = counters.user_id
            and counted.category_id = counters.category_id
    where not guest.is_recounted
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
        greatest(coalesce(known.kept, 0) + coalesce(counted.change, 0), 0) as order_cnt
    from counted
    full join known
        on
            counted.user_id = known.user_id
            and counted.category_id = known.category_id
) as change
where change.order_cnt <> change.order_cnt_before;

analyze batch_category_changes;
