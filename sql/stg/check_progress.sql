-- One row = how far the checks of data_checks have come in their round through all keys.
-- From: a check in which each law was answered
-- Grain: one row
-- Rerun: writes the newer position over the older
-- Params: checked_key, checked_dt, changed_since
insert into stg.check_progress (checked_key, checked_dt, changed_dt)
values (%(checked_key)s::uuid, %(checked_dt)s::timestamptz, %(changed_since)s::timestamptz)
on conflict (is_only) do update set
    checked_key = excluded.checked_key,
    checked_dt = excluded.checked_dt,
    changed_dt = excluded.changed_dt;
