-- What is stored already has none until the logs are judged again: docs/runbook.md, "marts_rebuild".
alter table stg.order_event_log add column closed_dttm timestamptz;
comment on column stg.order_event_log.closed_dttm is
'When an order of final_status CLOSED became so: the first of the last CLOSED entries of payload.statuses, by their dttm; '
'NULL where it is not CLOSED, or no entry says when';

alter table stg.judged_orders add column closed_dttm timestamptz;
comment on column stg.judged_orders.closed_dttm is 'As in stg.order_event_log';

alter table dds.s_order_status add column closed_dttm timestamptz;
comment on column dds.s_order_status.closed_dttm is
'When the order became CLOSED, as the source says (effective_dttm is that of the version that says so); '
'NULL where the row is of another status, or the source says no time';

create or replace function stg.amend_logs() returns void
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
        closed_dttm = judged.closed_dttm,
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
