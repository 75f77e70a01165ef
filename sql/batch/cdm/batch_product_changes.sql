-- Temporary: the counters by dish that this transaction changes, from what they are to what they are to be: of a guest who is counted
-- anew the count, of others what they are and what the baskets add. No counter falls below 0: one that had drifted is the law's to
-- find and holds up no load.
-- From: batch_guests, batch_closed_lines, batch_products, cdm.user_product_counters
-- Grain: user_id, product_id
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_product_changes (
    user_id uuid,
    product_id uuid,
    product_name varchar,
    order_cnt_before integer,
    order_cnt integer
) on commit drop;

insert into batch_product_changes
with counted as (
    select
        h_user_pk as user_id,
        h_product_pk as product_id,
        sum(change) as change
    from batch_closed_lines
    group by h_user_pk, h_product_pk
),

known as (
    select
        counters.user_id,
        counters.product_id,
        counters.product_name,
        counters.order_cnt,
        0 as kept
    from batch_guests as guest
    inner join cdm.user_product_counters as counters on guest.h_user_pk = counters.user_id
    where guest.is_recounted

    union all

    select
        counters.user_id,
        counters.product_id,
        counters.product_name,
        counters.order_cnt,
        counters.order_cnt as kept
    from batch_guests as guest
    inner join counted on guest.h_user_pk = counted.user_id
    inner join cdm.user_product_counters as counters
        on
            counted.user_id = counters.user_id
            and counted.product_id = counters.product_id
    where not guest.is_recounted
)

select
    change.user_id,
    change.product_id,
    product.product_name,
    change.order_cnt_before,
    change.order_cnt
from (
    select
        coalesce(counted.user_id, known.user_id) as user_id,
        coalesce(counted.product_id, known.product_id) as product_id,
        known.product_name as name_before,
        coalesce(known.order_cnt, 0) as order_cnt_before,
        greatest(coalesce(known.kept, 0) + coalesce(counted.change, 0), 0) as order_cnt
    from counted
    full join known
        on
            counted.user_id = known.user_id
            and counted.product_id = known.product_id
) as change
left join batch_products as product on change.product_id = product.h_product_pk
where
    change.order_cnt <> change.order_cnt_before
    or change.name_before <> product.product_name;

analyze batch_product_changes;
