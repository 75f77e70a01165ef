-- Unlogged: filled and emptied within the transaction of a rebuild; what a crash leaves of them is nothing.
create unlogged table stg.judged_orders (
    value_hash uuid primary key,
    is_accepted boolean not null,
    object_id bigint,
    update_ts timestamptz,
    sent_dttm timestamptz,
    order_dt timestamptz,
    user_id text,
    restaurant_id text,
    final_status text,
    cost numeric,
    payment numeric,
    item_ids text[],
    item_names text[]
);
comment on table stg.judged_orders is 'Messages of stg.order_event_log of which the rules of today say something else; only ever holds rows within a rebuild';
comment on column stg.judged_orders.value_hash is 'The message in stg.order_event_log';
comment on column stg.judged_orders.is_accepted is 'False where it is refused, or not ours, by now: it leaves the log';
comment on column stg.judged_orders.object_id is 'As in stg.order_event_log, by the rules of today; NULL where not accepted. So are the next columns';
comment on column stg.judged_orders.update_ts is 'As in stg.order_event_log';
comment on column stg.judged_orders.sent_dttm is 'As in stg.order_event_log';
comment on column stg.judged_orders.order_dt is 'As in stg.order_event_log';
comment on column stg.judged_orders.user_id is 'As in stg.order_event_log';
comment on column stg.judged_orders.restaurant_id is 'As in stg.order_event_log';
comment on column stg.judged_orders.final_status is 'As in stg.order_event_log';
comment on column stg.judged_orders.cost is 'As in stg.order_event_log';
comment on column stg.judged_orders.payment is 'As in stg.order_event_log';
comment on column stg.judged_orders.item_ids is 'As in stg.order_event_log';
comment on column stg.judged_orders.item_names is 'As in stg.order_event_log';

create unlogged table stg.judged_references (
    value_hash uuid primary key,
    is_accepted boolean not null,
    object_type text,
    object_id text,
    update_ts timestamptz,
    name text,
    login text,
    menu_ids text[],
    menu_names text[],
    menu_categories text[]
);
comment on table stg.judged_references is 'Documents of stg.reference_log of which the rules of today say something else; only ever holds rows within a rebuild';
comment on column stg.judged_references.value_hash is 'The document in stg.reference_log';
comment on column stg.judged_references.is_accepted is 'False where it is refused by now: it leaves the log';
comment on column stg.judged_references.object_type is 'As in stg.reference_log, by the rules of today; NULL where not accepted. So are the next columns';
comment on column stg.judged_references.object_id is 'As in stg.reference_log';
comment on column stg.judged_references.update_ts is 'As in stg.reference_log';
comment on column stg.judged_references.name is 'As in stg.reference_log';
comment on column stg.judged_references.login is 'As in stg.reference_log';
comment on column stg.judged_references.menu_ids is 'As in stg.reference_log';
comment on column stg.judged_references.menu_names is 'As in stg.reference_log';
comment on column stg.judged_references.menu_categories is 'As in stg.reference_log';

create function stg.amend_logs() returns void
language plpgsql security definer set search_path = ''
as $$
begin
    update stg.order_event_log as log
    set
        object_id = judged.object_id,
        update_ts = judged.update_ts,
        sent_dttm = judged.sent_dttm,
        order_dt = judged.order_dt,
        user_id = judged.user_id,
        restaurant_id = judged.restaurant_id,
        final_status = judged.final_status,
        cost = judged.cost,
        payment = judged.payment,
        item_ids = judged.item_ids,
        item_names = judged.item_names
    from stg.judged_orders as judged
    where judged.is_accepted and log.value_hash = judged.value_hash;

    delete from stg.order_event_log as log
    using stg.judged_orders as judged
    where not judged.is_accepted and log.value_hash = judged.value_hash;

    update stg.load_queue as queue
    set object_id = judged.object_id
    from stg.judged_orders as judged
    where
        judged.is_accepted
        and queue.source = 'order_event_log'
        and queue.value_hash = judged.value_hash
        and queue.object_id is distinct from judged.object_id;

    delete from stg.load_queue as queue
    using stg.judged_orders as judged
    where not judged.is_accepted and queue.source = 'order_event_log' and queue.value_hash = judged.value_hash;

    update stg.reference_log as log
    set
        object_type = judged.object_type,
        object_id = judged.object_id,
        update_ts = judged.update_ts,
        name = judged.name,
        login = judged.login,
        menu_ids = judged.menu_ids,
        menu_names = judged.menu_names,
        menu_categories = judged.menu_categories
    from stg.judged_references as judged
    where judged.is_accepted and log.value_hash = judged.value_hash;

    delete from stg.reference_log as log
    using stg.judged_references as judged
    where not judged.is_accepted and log.value_hash = judged.value_hash;

    delete from stg.load_queue as queue
    using stg.judged_references as judged
    where not judged.is_accepted and queue.source = 'reference_log' and queue.value_hash = judged.value_hash;

    delete from stg.judged_orders;
    delete from stg.judged_references;
end;
$$;
comment on function stg.amend_logs() is 'Makes the logs, and what waits of them in the queue, what stg.judged_orders and stg.judged_references say, and empties these. The messages themselves stay as they were received: in the log, or as dead letters';
revoke all on function stg.amend_logs() from public;
grant execute on function stg.amend_logs() to dwh_etl;

grant select, insert on stg.judged_orders, stg.judged_references to dwh_etl;
-- What is derived from the logs follows them.
grant delete on stg.order_events, stg.reference_keys to dwh_etl;
