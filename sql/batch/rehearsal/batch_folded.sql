-- Temporary: whose orders are folded for a rehearsal: every guest who ever had an order with a dish of the category. Under a rule with a
-- window only who had one that changed within a window before the rehearsal begins, or later: of nobody else does an order count there.
-- From: batch_judged, dds.es_product_category, dds.l_order_product, dds.s_order_status, dds.es_order_user
-- Grain: user_id
-- Rerun: dropped at the end of the transaction
-- Params: from_dt
create temporary table batch_folded (
    user_id uuid,
    tag varchar
) on commit drop;

insert into batch_folded (user_id)
with rule as (
    select
        category_id,
        coalesce(%(from_dt)s::timestamptz - window_days * interval '24 hours', '-infinity') as since_dt
    from batch_judged
),

dishes as (
    select distinct on (es.h_product_pk)
        es.h_product_pk,
        es.h_category_pk
    from dds.es_product_category as es
    order by es.h_product_pk asc, es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
),

ordered as (
    select held.h_order_pk
    from dishes
    inner join rule on dishes.h_category_pk = rule.category_id
    inner join dds.l_order_product as held on dishes.h_product_pk = held.h_product_pk
)

select distinct owner.h_user_pk
from dds.es_order_user as owner
where
    owner.h_order_pk in (select ordered.h_order_pk from ordered)
    -- The erased have no tags.
    and owner.h_user_pk <> dds.erased_guest()
    and owner.h_order_pk in (
        select status.h_order_pk
        from dds.s_order_status as status
        where status.effective_dttm >= (select rule.since_dt from rule)
    );

analyze batch_folded;
