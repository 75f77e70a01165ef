-- The roles are made by migrations/bootstrap.py: roles belong to the server, not to this database.
grant usage on schema stg, dds, cdm to dwh_etl;

grant select, insert on all tables in schema stg, dds, cdm to dwh_etl;
grant update on stg.order_events, stg.reference_keys, stg.dead_letters to dwh_etl;
grant delete on stg.load_queue, dds.counter_queue, cdm.rule_queue to dwh_etl;
grant update, delete on cdm.user_product_counters, cdm.user_category_counters, cdm.user_tags, cdm.tag_rules to dwh_etl;
grant execute on function dds.clear_vault() to dwh_etl;

grant usage on schema cdm to dwh_bi;
grant select on
    cdm.user_product_counters, cdm.user_category_counters, cdm.tag_rules, cdm.user_tags, cdm.tag_events
to dwh_bi;
