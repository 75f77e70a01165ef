-- The orders that laws "over orders" are asked of, beside what the workers hold of them.
-- From: stg.order_event_log; dds.h_order, dds.s_order_status, dds.s_order_cost, dds.es_order_user, dds.es_order_product
-- Grain: h_order_pk
-- Rerun: emptied at the end of the transaction
-- Params: first_key, last_key, changed_since
create temporary table batch_checked_orders (
    h_order_pk uuid primary key,
    order_id bigint
) on commit drop;

insert into batch_checked_orders (h_order_pk, order_id)
select distinct
    h_order_pk,
    object_id
from stg.order_event_log
where load_dt > %(changed_since)s::timestamptz
on conflict do nothing;

insert into batch_checked_orders (h_order_pk, order_id)
select distinct
    h_order_pk,
    order_id
from dds.h_order
where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_orders (h_order_pk, order_id)
select distinct
    h_order_pk,
    null::bigint
from dds.s_order_status
where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_orders (h_order_pk, order_id)
select distinct
    h_order_pk,
    null::bigint
from dds.s_order_cost
where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_orders (h_order_pk, order_id)
select distinct
    h_order_pk,
    null::bigint
from dds.es_order_user
where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_orders (h_order_pk, order_id)
select distinct
    h_order_pk,
    null::bigint
from dds.es_order_product
where h_order_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;
