-- What erased rows still lie in the files of the tables goes at once. Outside of any transaction. A table that somebody else holds is left
-- to autovacuum, and so are all before PostgreSQL 17, where only their owner may.
-- Rerun: harmless
-- Params: none
vacuum (skip_locked, truncate false)
stg.order_event_log, stg.order_events, stg.load_queue, stg.reference_log, stg.reference_keys, stg.dead_letters, stg.erasure_requests,
dds.h_user, dds.l_order_user, dds.es_order_user, dds.s_user_names, dds.s_user_contacts, dds.counter_queue,
cdm.user_product_counters, cdm.user_category_counters, cdm.user_tags, cdm.tag_events, cdm.guest_due, cdm.consents, cdm.suppressions,
cdm.audience_members, cdm.audience_member_changes, cdm.audience_export_rows;
