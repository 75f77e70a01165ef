-- The ledger is copied to where dumps are, and comes back from there; and what an erasure leaves of rows in the files is removed at once.

create function stg.restore_erasures(acts jsonb)
returns bigint
language sql security definer
set search_path = ''
as $$
with restored as (
    insert into stg.erasures as known (subject_hmac, requested_dt, done_dt, reopened_dt, reason, counts)
    select distinct on (subject_hmac)
        decode(subject_hmac, 'hex'),
        requested_dt,
        done_dt,
        reopened_dt,
        reason,
        counts
    from jsonb_to_recordset(acts) as act (
        subject_hmac text,
        requested_dt timestamptz,
        done_dt timestamptz,
        reopened_dt timestamptz,
        reason text,
        counts jsonb
    )
    order by subject_hmac asc, done_dt desc, reopened_dt desc nulls last
    on conflict (subject_hmac) do update set
        done_dt = excluded.done_dt,
        reopened_dt = excluded.reopened_dt,
        reason = excluded.reason,
        counts = excluded.counts
    where
        (excluded.done_dt, coalesce(excluded.reopened_dt, '-infinity'))
        > (known.done_dt, coalesce(known.reopened_dt, '-infinity'))
    returning 1
)

select count(*) from restored
$$;
comment on function stg.restore_erasures is
'Puts back what a copy of the ledger knows and the table does not, or knows as it was before. Returns the number of rows';
revoke all on function stg.restore_erasures(jsonb) from public;
grant execute on function stg.restore_erasures(jsonb) to dwh_etl;

-- VACUUM of what somebody else owns. Before PostgreSQL 17 nobody may; autovacuum does it there, later.
do $$
begin
    if current_setting('server_version_num')::integer >= 170000 then
        grant maintain on
            stg.order_event_log, stg.order_events, stg.load_queue, stg.reference_log, stg.reference_keys, stg.dead_letters,
            stg.erasure_requests,
            dds.h_user, dds.l_order_user, dds.es_order_user, dds.s_user_names, dds.s_user_contacts, dds.counter_queue,
            cdm.user_product_counters, cdm.user_category_counters, cdm.user_tags, cdm.tag_events, cdm.guest_due,
            cdm.consents, cdm.suppressions,
            cdm.audience_members, cdm.audience_member_changes, cdm.audience_export_rows
        to dwh_etl;
    end if;
end $$;
