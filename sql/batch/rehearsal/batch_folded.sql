-- Temporary: whose orders are folded for a rehearsal: every guest who ever had an order with a dish of the category. Under a rule with a
-- window only who had one that changed within a window before the rehearsal begins, or later: of nobody else does an order count there.
-- From: batch_judged, batch_dishes, dds.l_order_product, dds.s_order_status, dds.es_order_user
-- Grain: user_id
-- Rerun: dropped at the end of the transaction
-- Params: from_dt
create temporary table batch_folded (
    user_id uuid,
    tag varchar
) on commit drop;

insert into batch_folded (user_id)
with ordered as (
    select held.h_order_pk
    from batch_dishes as dish
    inner join dds.l_order_product as held on dish.h_product_pk = held.h_product_pk
),

begins as (
    select coalesce(%(from_dt)s::timestamptz - window_days * interval '24 hours', '-infinity') as begin_dt
    from batch_judged
),

lately as (
    select h_order_pk
    from dds.s_order_status
    where effective_dttm >= (select begins.begin_dt from begins)
)

select distinct owner.h_user_pk
from dds.es_order_user as owner
where
    owner.h_order_pk in (select ordered.h_order_pk from ordered)
    and owner.h_order_pk in (select lately.h_order_pk from lately)
    -- The erased have no tags.
    and owner.h_user_pk <> dds.erased_guest();

analyze batch_folded;
