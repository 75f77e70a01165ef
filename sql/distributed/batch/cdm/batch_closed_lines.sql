-- The dishes that count: those in all CLOSED orders of the guests, by the vault's current rows. Read beside the orders, and sent from
-- there to where the guests lie: the only rows of a load that change their worker, with the guests' keys themselves.
-- From: batch_guests, dds.es_order_user, dds.s_order_status, dds.es_order_product
-- Grain: h_order_pk, h_product_pk
-- Rerun: emptied at the end of the transaction
-- Params: none
create temporary table batch_closed_lines (
    h_user_pk uuid,
    h_order_pk uuid,
    claim_id bigint,
    h_product_pk uuid,
    change smallint
) on commit drop;

insert into batch_closed_lines (h_user_pk, h_order_pk, claim_id, h_product_pk, change)
with guests as materialized (
    select h_user_pk
    from batch_guests
)

select
    owners.h_user_pk,
    owners.h_order_pk,
    0,
    baskets.h_product_pk,
    1
from (
    select distinct on (owner.h_order_pk)
        owner.h_order_pk,
        owner.h_user_pk
    from dds.es_order_user as owner
    inner join (
        select distinct owned.h_order_pk
        from dds.es_order_user as owned
        inner join guests on owned.h_user_pk = guests.h_user_pk
    ) as touched on owner.h_order_pk = touched.h_order_pk
    order by owner.h_order_pk asc, owner.effective_dttm desc, owner.sent_dttm desc, owner.value_hash desc
) as owners
inner join guests on owners.h_user_pk = guests.h_user_pk
inner join lateral (
    select status.status
    from dds.s_order_status as status
    where status.h_order_pk = owners.h_order_pk
    order by status.effective_dttm desc, status.sent_dttm desc, status.value_hash desc
    limit 1
) as statuses on true
inner join lateral (
    select distinct on (held.h_product_pk)
        held.h_product_pk,
        held.is_active
    from dds.es_order_product as held
    where held.h_order_pk = owners.h_order_pk
    order by held.h_product_pk asc, held.effective_dttm desc, held.sent_dttm desc, held.value_hash desc
) as baskets on true
where
    statuses.status = 'CLOSED'
    and baskets.is_active;
