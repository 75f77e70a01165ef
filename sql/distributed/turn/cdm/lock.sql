-- As where nothing is distributed. Then: a worker that died between the two phases of a commit has rows of it that nobody sees until
-- Citus finishes it there, which it does once a minute. Differences to counters of before would be added to the sums a second time.
-- Others who commit just now are waited for.
-- Rerun: harmless
-- Params: none
select pg_advisory_xact_lock(hashtext('dwh.cdm'));

set local idle_in_transaction_session_timeout = '60s';

do $$
declare
    waiting text;
begin
    for attempt in 1..50 loop
        select string_agg(nodename || ':' || nodeport, ', ')
        into waiting
        from run_command_on_workers(
            'select count(*) from pg_prepared_xacts where database = current_database() and owner = current_user'
        )
        where not success or result <> '0';
        exit when waiting is null;
        perform pg_sleep(0.2);
    end loop;
    if waiting is not null then
        raise exception 'a commit is not finished on %%: Citus finishes it within a minute, and the next run goes on', waiting;
    end if;
end
$$;
