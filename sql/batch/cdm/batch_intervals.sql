-- Temporary: when the orders of the folded guests were CLOSED: from the first version of each run of CLOSED ones, in business time,
-- to the next other one (NULL: until now). Guest, basket and category are those of now.
-- From: batch_folded, batch_category_orders, dds.es_order_user, dds.s_order_status, dds.h_order
-- Grain: user_id, category_id, order_id, from_dt
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_intervals (
    user_id uuid,
    category_id uuid,
    order_id bigint,
    from_dt timestamptz,
    to_dt timestamptz
) on commit drop;

insert into batch_intervals
with guests as materialized (
    select distinct user_id
    from batch_folded
),

categories as materialized (
    select
        h_order_pk,
        category_id
    from batch_category_orders
),

meant as materialized (
    select distinct h_order_pk
    from batch_category_orders
),

owners as (
    select distinct on (owner.h_order_pk)
        owner.h_order_pk,
        owner.h_user_pk
    from meant
    inner join dds.es_order_user as owner on meant.h_order_pk = owner.h_order_pk
    order by owner.h_order_pk asc, owner.effective_dttm desc, owner.sent_dttm desc, owner.value_hash desc
),

versions as (
    select
        status.h_order_pk,
        status.effective_dttm,
        status.sent_dttm,
        status.value_hash,
        status.status = 'CLOSED' as is_closed,
        lag(status.status = 'CLOSED', 1, false) over (
            partition by status.h_order_pk
            order by status.effective_dttm asc, status.sent_dttm asc, status.value_hash asc
        ) as was_closed
    from meant
    inner join dds.s_order_status as status on meant.h_order_pk = status.h_order_pk
),

closed as (
    select
        h_order_pk,
        is_closed,
        effective_dttm as from_dt,
        lead(effective_dttm) over (
            partition by h_order_pk
            order by effective_dttm asc, sent_dttm asc, value_hash asc
        ) as to_dt
    from versions
    where is_closed <> was_closed
)

select
    owners.h_user_pk,
    categories.category_id,
    hub.order_id,
    closed.from_dt,
    closed.to_dt
from closed
inner join owners on closed.h_order_pk = owners.h_order_pk
inner join guests on owners.h_user_pk = guests.user_id
inner join categories on closed.h_order_pk = categories.h_order_pk
inner join dds.h_order as hub on closed.h_order_pk = hub.h_order_pk
where
    closed.is_closed
    -- One that began and ended at one moment was never there.
    and closed.to_dt is distinct from closed.from_dt;

analyze batch_intervals;
