-- What is read from a message, or a document, are the columns that its log shares with the table of what is judged again. Until now
-- three places listed them besides: a column is added to the two tables, and nowhere else, from here on.
create function stg.read_otherwise(chunk regclass, log regclass, judged anyelement) returns setof anyelement
language plpgsql stable set search_path = '' as $$
begin
    return query execute (
        select format(
            'select %%s from %%s as today inner join %%s as log on today.value_hash = log.value_hash '
            'where (%%s) is distinct from (%%s)',
            string_agg(case attname when 'is_accepted' then 'true' else format('today.%%I', attname) end, ', ' order by attnum),
            chunk,
            log,
            string_agg(format('today.%%I', attname), ', ' order by attnum) filter (where attname <> 'is_accepted'),
            string_agg(format('log.%%I', attname), ', ' order by attnum) filter (where attname <> 'is_accepted')
        )
        from pg_catalog.pg_attribute
        where attrelid = pg_typeof(judged)::text::regclass and attnum > 0 and not attisdropped
    );
end;
$$;
comment on function stg.read_otherwise(regclass, regclass, anyelement) is
'Rows of a chunk that its log holds otherwise, in the form of the third parameter, stg.judged_orders or stg.judged_references';
revoke all on function stg.read_otherwise(regclass, regclass, anyelement) from public;
grant execute on function stg.read_otherwise(regclass, regclass, anyelement) to dwh_etl;

create or replace function stg.amend_logs() returns void
language plpgsql security definer set search_path = ''
as $$
declare
    log text;
    judged text;
begin
    update stg.load_queue as queue
    set object_id = judged.object_id
    from stg.judged_orders as judged
    where
        judged.is_accepted
        and queue.source = 'order_event_log'
        and queue.value_hash = judged.value_hash
        and queue.object_id is distinct from judged.object_id;

    for log, judged in values ('order_event_log', 'judged_orders'), ('reference_log', 'judged_references') loop
        execute (
            select format(
                'update stg.%%I as log set %%s from stg.%%I as judged where judged.is_accepted and log.value_hash = judged.value_hash',
                log,
                string_agg(format('%%I = judged.%%I', attname, attname), ', ' order by attnum),
                judged
            )
            from pg_catalog.pg_attribute
            where
                attrelid = format('stg.%%I', judged)::regclass
                and attname not in ('value_hash', 'is_accepted')
                and attnum > 0
                and not attisdropped
        );
        execute format(
            'delete from stg.%%I as log using stg.%%I as judged where not judged.is_accepted and log.value_hash = judged.value_hash',
            log,
            judged
        );
        execute format(
            'delete from stg.load_queue as queue using stg.%%I as judged '
            'where not judged.is_accepted and queue.source = %%L and queue.value_hash = judged.value_hash',
            judged,
            log
        );
        execute format('delete from stg.%%I', judged);
    end loop;
end;
$$;
