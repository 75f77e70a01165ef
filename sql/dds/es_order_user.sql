-- One row = an order comes to belong to a guest (its first, or another one by a correction), by business time.
-- From: batch_orders
-- Grain: h_order_pk, a version whose guest differs from that of the one before it
-- Rerun: adds no row
-- Params: load_dt
insert into dds.es_order_user (
    h_order_pk,
    h_user_pk,
    hk_order_user_pk,
    effective_dttm,
    sent_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    h_order_pk,
    h_user_pk,
    dds.hash_key(order_id::text, user_id),
    update_ts,
    sent_dttm,
    value_hash,
    %(load_dt)s::timestamptz,
    load_src
from (
    select
        *,
        lag(h_user_pk) over (
            partition by h_order_pk
            order by update_ts asc, sent_dttm asc, value_hash asc
        ) as h_user_pk_before
    from batch_orders
) as versions
where h_user_pk is distinct from h_user_pk_before
on conflict do nothing;
