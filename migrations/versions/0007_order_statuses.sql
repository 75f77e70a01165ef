-- The drain waits: what follows counts what is stored, and the next chunk goes on from there.
select pg_advisory_xact_lock(hashtext('dwh.stg'));

create table stg.order_statuses (
    status text primary key,
    orders bigint not null,
    empty_orders bigint not null
) with (fillfactor = 80);
comment on table stg.order_statuses is 'Sums of stg.order_events: one row = the orders that have a status now. A row that falls to 0 disappears';
comment on column stg.order_statuses.status is 'payload.final_status of the newest version';
comment on column stg.order_statuses.orders is 'Number of the orders';
comment on column stg.order_statuses.empty_orders is 'Those among them whose basket is empty';

insert into stg.order_statuses
select status, sum(orders), sum(empty_orders)
from stg.order_hours
group by status;

-- As before, with the sums by status instead of those by the hour.
create or replace view cdm.v_orders_not_counted with (security_barrier) as
select reason, detail, amount, unit
from (
    select 'not_closed' as reason, status as detail, orders as amount, 'orders' as unit
    from stg.order_statuses
    where status <> 'CLOSED'
    union all
    select 'empty_basket', '', empty_orders, 'orders'
    from stg.order_statuses
    where status = 'CLOSED' and empty_orders > 0
    union all
    select
        'no_category',
        case when dish.is_on_menu then 'menu_without_category' else 'dish_on_no_menu' end,
        sum(totals.order_cnt)::bigint,
        'order lines'
    from cdm.product_totals as totals
    cross join lateral (
        select exists (
            select 1
            from dds.s_product_names as names
            where names.h_product_pk = totals.product_id and names.is_from_menu
        ) as is_on_menu
    ) as dish
    where not exists (
        select 1
        from dds.es_product_category as es
        where es.h_product_pk = totals.product_id
    )
    group by dish.is_on_menu
    union all
    select 'waiting', case source when 'order_event_log' then 'order' else 'reference' end, count(*), 'messages'
    from stg.load_queue
    group by source
    union all
    select 'refused', reason, count(*), 'messages'
    from stg.dead_letters
    where solved_dt is null
    group by reason
) as lost;

grant select, insert, update, delete on stg.order_statuses to dwh_etl;
