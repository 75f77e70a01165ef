create table stg.withdrawn (
    value_hash uuid primary key,
    why text not null check (why <> ''),
    withdrawn_by text not null,
    withdrawn_dt timestamptz not null
);
comment on table stg.withdrawn is 'Contents that somebody has taken back, such as a menu stamped 2099: they count for nothing from the next marts_rebuild of stg on, and never come in again';
comment on column stg.withdrawn.value_hash is 'The message in stg.order_event_log, or the document in stg.reference_log';
comment on column stg.withdrawn.why is 'What is wrong with it, for whoever comes after';
comment on column stg.withdrawn.withdrawn_by is 'The role that has withdrawn it';
comment on column stg.withdrawn.withdrawn_dt is 'When it did';

create function stg.withdraw(content uuid, reason text) returns void
language plpgsql
as $$
begin
    if not exists (select 1 from stg.order_event_log where value_hash = content)
        and not exists (select 1 from stg.reference_log where value_hash = content)
    then
        raise exception 'neither stg.order_event_log nor stg.reference_log holds the content %%', content;
    end if;
    insert into stg.withdrawn (value_hash, why, withdrawn_by, withdrawn_dt)
    values (content, reason, session_user, clock_timestamp());
end;
$$;
comment on function stg.withdraw(uuid, text) is 'Withdraws a message or a document, by its value_hash; for the owner of the warehouse. Taken back by deleting the row of stg.withdrawn';
revoke execute on function stg.withdraw(uuid, text) from public;

grant select on stg.withdrawn to dwh_etl;
