-- The page "Guest tags" reads as a role of its own: a dashboard needs no answer about one guest, and the page no view that it does not
-- show. The role is made by deploy/bootstrap.py, before. v_laws is for the watcher outside, which has the page's connection.
grant usage on schema cdm to dwh_page;
grant select on
    cdm.v_audience_daily,
    cdm.v_backups,
    cdm.v_category_counters,
    cdm.v_category_thresholds,
    cdm.v_clock,
    cdm.v_dead_letters,
    cdm.v_exports,
    cdm.v_freshness,
    cdm.v_guest_progress,
    cdm.v_guest_tags,
    cdm.v_laws,
    cdm.v_orders_hourly,
    cdm.v_orders_not_counted,
    cdm.v_product_counters,
    cdm.v_rehearsal,
    cdm.v_rehearsal_near,
    cdm.v_rehearsal_overlaps,
    cdm.v_rehearsal_weeks,
    cdm.v_rules,
    cdm.v_tag_events,
    cdm.v_tag_funnel,
    cdm.v_why
to dwh_page;

-- Why one guest has a tag or not, order by order: the page answers that. What the dashboard of docs/datalens.md shows of guests
-- (v_guest_progress, v_guest_tags, v_tag_events) stays.
revoke all on cdm.v_why from dwh_bi;
