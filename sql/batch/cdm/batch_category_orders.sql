-- Temporary: the orders of the folded guests, theirs now or once, that hold a dish of a category in question, as baskets and menus are now.
-- Of other orders nothing more is read. A table of its own, so that it is known how many these are before more is asked of them.
-- From: batch_folded, batch_judged, dds.es_order_user, dds.es_order_product, dds.es_product_category
-- Grain: h_order_pk, category_id
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_category_orders (
    h_order_pk uuid,
    category_id uuid
) on commit drop;

insert into batch_category_orders
with guests as materialized (
    select distinct user_id
    from batch_folded
),

-- Of the rules under which they are folded: where one was changed, its category and not that of each rule.
asked as materialized (
    select distinct rule.category_id
    from batch_judged as rule
    where
        rule.tag in (select folded.tag from batch_folded as folded)
        or (
            rule.is_timed
            and exists (
                select 1
                from batch_folded as folded
                where folded.tag is null
            )
        )
),

owned as materialized (
    select distinct owner.h_order_pk
    from guests
    inner join dds.es_order_user as owner on guests.user_id = owner.h_user_pk
),

-- Of many guests only the lines with a dish of these categories are read; of a few it costs less to read their lines than the menu.
size as materialized (
    select count(*) > 100 as is_many
    from guests
),

menu as materialized (
    select newest.h_product_pk
    from (
        select distinct on (es.h_product_pk)
            es.h_product_pk,
            es.h_category_pk
        from dds.es_product_category as es
        where (select size.is_many from size)
        order by es.h_product_pk asc, es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
    ) as newest
    where newest.h_category_pk in (select asked.category_id from asked)
),

lines as materialized (
    select
        held.h_order_pk,
        held.h_product_pk,
        held.is_active,
        held.effective_dttm,
        held.sent_dttm,
        held.value_hash
    from owned
    inner join dds.es_order_product as held on owned.h_order_pk = held.h_order_pk
    where
        not (select size.is_many from size)
        or held.h_product_pk in (select menu.h_product_pk from menu)
),

products as materialized (
    select
        ordered.h_product_pk,
        category.h_category_pk
    from (
        select distinct h_product_pk
        from lines
    ) as ordered
    cross join lateral (
        select es.h_category_pk
        from dds.es_product_category as es
        where es.h_product_pk = ordered.h_product_pk
        order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
        limit 1
    ) as category
    where category.h_category_pk in (select asked.category_id from asked)
),

baskets as (
    select distinct on (lines.h_order_pk, lines.h_product_pk)
        lines.h_order_pk,
        lines.is_active,
        products.h_category_pk
    from lines
    inner join products on lines.h_product_pk = products.h_product_pk
    order by
        lines.h_order_pk asc,
        lines.h_product_pk asc,
        lines.effective_dttm desc,
        lines.sent_dttm desc,
        lines.value_hash desc
)

select distinct
    h_order_pk,
    h_category_pk
from baskets
where is_active;

analyze batch_category_orders;
