-- What `minutes` runs of orders_micro_batch leave behind besides the orders: rows of the catalogues for the temporary tables, dead
-- rows of queues, progress, sums and counters. A transaction a minute, as fast as it goes.
-- Params: minutes, tables (the columns of each temporary table), every (the temporary tables come with each n-th minute only)
do $$
declare
    tables constant text[] := %(tables)s;
    columns text;
    place integer;
begin
    for minute in 1..%(minutes)s loop
        if minute %% %(every)s = 0 then
            place := 0;
            foreach columns in array tables loop
                place := place + 1;
                execute format('create temporary table batch_%%s_%%s %%s on commit drop', place, minute, columns);
                execute format('analyze batch_%%s_%%s', place, minute);
            end loop;
        end if;
        insert into stg.load_queue (source, value_hash, load_dt, object_id)
        select 'order_event_log', gen_random_uuid(), now(), id from generate_series(1, 5) as id;
        delete from stg.load_queue;
        insert into dds.counter_queue (h_user_pk, load_dt)
        select h_user_pk, now() from (select h_user_pk from dds.h_user limit 5) as guests;
        delete from dds.counter_queue;
        update stg.drain_progress set load_dt = clock_timestamp();
        update stg.drain_ends set checked_dt = clock_timestamp();
        update stg.order_hours set orders = orders
        where order_hour = (select order_hour from stg.order_hours limit 1);
        update cdm.user_product_counters set order_cnt = order_cnt
        where user_id in (select user_id from cdm.user_tags order by user_id limit 5 offset minute %% 100);
        update cdm.product_totals set order_cnt = order_cnt
        where product_id in (select product_id from cdm.product_totals limit 10);
        commit;
    end loop;
end
$$;
