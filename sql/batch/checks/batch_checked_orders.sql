-- Temporary: the orders that laws "over orders" are asked of: those with a message that is newer than changed_since, and those whose
-- key lies between two keys, in whichever table of the vault it stands. Keys are hashes: a part of them is as large a part of the orders.
-- From: stg.order_event_log; dds.h_order, dds.s_order_status, dds.s_order_cost, dds.es_order_user, dds.es_order_product
-- Grain: h_order_pk
-- Rerun: dropped at the end of the transaction
-- Params: first_key, last_key, changed_since
create temporary table batch_checked_orders (
    h_order_pk uuid,
    order_id bigint
) on commit drop;

insert into batch_checked_orders (h_order_pk, order_id)
select
    h_order_pk,
    max(order_id)
from (
    select
        dds.hash_key(object_id::text) as h_order_pk,
        object_id as order_id
    from stg.order_event_log
    where load_dt > %(changed_since)s::timestamptz

    union all

    select
        h_order_pk,
        order_id
    from dds.h_order
    where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid

    union all

    select
        h_order_pk,
        null
    from dds.s_order_status
    where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid

    union all

    select
        h_order_pk,
        null
    from dds.s_order_cost
    where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid

    union all

    select
        h_order_pk,
        null
    from dds.es_order_user
    where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid

    union all

    select
        h_order_pk,
        null
    from dds.es_order_product
    where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid
) as found
group by h_order_pk;

analyze batch_checked_orders;
