-- One row: what a person asks first.
-- From: stg, dds, cdm
select
    (select count(*) from stg.order_event_log) as messages,
    (select count(distinct user_id) from cdm.user_product_counters) as guests,
    (select count(*) from dds.h_product) as dishes,
    (select count(*) from dds.h_category) as categories,
    (select count(*) from cdm.user_product_counters) as product_counters,
    (select count(*) from cdm.user_category_counters) as category_counters,
    (select count(*) from cdm.user_tags) as tags,
    (select count(distinct user_id) from cdm.user_tags) as tagged_guests,
    (select count(*) filter (where active) from cdm.tag_rules) as rules,
    (select extract(epoch from clock_timestamp() - max(sent_dttm)) from stg.order_events)::float8 as newest_order_age_s,
    (select count(*) from stg.load_queue) + (select count(*) from dds.counter_queue) as queued;
