create table stg.check_progress (
    is_only boolean primary key default true check (is_only),
    checked_key uuid not null,
    checked_dt timestamptz not null,
    changed_dt timestamptz not null
);
comment on table stg.check_progress is 'One row = how far data_checks has come in its round through all keys';
comment on column stg.check_progress.is_only is 'There is one row at most';
comment on column stg.check_progress.checked_key is 'Up to this key all were checked in this round; ffffffff-... = a round has ended';
comment on column stg.check_progress.checked_dt is 'When that was';
comment on column stg.check_progress.changed_dt is 'What was stored later counts as changed in the next check';
grant select, insert, update on stg.check_progress to dwh_etl;

-- What was stored since a moment: rows are only added, those of a moment lie together, so a row of such an index stands for 32 pages
-- of its table, and costs a load next to nothing.
create index order_event_log_load_dt on stg.order_event_log using brin (load_dt) with (pages_per_range = 32, autosummarize);
create index reference_log_load_dt on stg.reference_log using brin (load_dt) with (pages_per_range = 32, autosummarize);
create index l_order_user_load_dt on dds.l_order_user using brin (load_dt) with (pages_per_range = 32, autosummarize);
create index l_order_product_load_dt on dds.l_order_product using brin (load_dt) with (pages_per_range = 32, autosummarize);
