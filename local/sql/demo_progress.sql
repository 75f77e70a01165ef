-- One row: how much each layer holds. The marts' own numbers appear when their transaction commits.
-- From: stg.order_events, dds.h_order, cdm.user_product_counters, cdm.user_tags
select
    (select count(*) from stg.order_events) as stg_orders,
    (select count(*) from dds.h_order) as dds_orders,
    (select count(*) from cdm.user_product_counters) as cdm_counters,
    (select count(*) from cdm.user_tags) as cdm_tags;
