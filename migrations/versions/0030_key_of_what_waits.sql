-- What waits is loaded as the order that it is judged to be: the queue has its key, too.
create or replace function stg.amend_logs() returns void
language plpgsql security definer
set search_path = ''
as $$
declare
    log text;
    judged text;
begin
    update stg.load_queue as queue
    set
        object_id = judged.object_id,
        h_order_pk = dds.hash_key(judged.object_id::text)
    from stg.judged_orders as judged
    where
        judged.is_accepted
        and queue.source = 'order_event_log'
        and queue.value_hash = judged.value_hash
        and (queue.object_id, queue.h_order_pk)
        is distinct from (judged.object_id, dds.hash_key(judged.object_id::text));

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
