-- Temporary: the dishes in the CLOSED orders of those guests, by the vault's current rows. One statement, so one snapshot: the
-- counters by dish and by category can't disagree.
-- From: batch_guests, dds.es_order_user, dds.s_order_status, dds.es_order_product
-- Grain: h_order_pk, h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_closed_lines (
    h_user_pk uuid,
    h_order_pk uuid,
    h_product_pk uuid
) on commit drop;

insert into batch_closed_lines
select
    orders.h_user_pk,
    orders.h_order_pk,
    basket.h_product_pk
from (
    select distinct
        guest.h_user_pk,
        owned.h_order_pk
    from batch_guests as guest
    inner join dds.es_order_user as owned on guest.h_user_pk = owned.h_user_pk
) as orders
cross join lateral (
    select owner.h_user_pk
    from dds.es_order_user as owner
    where owner.h_order_pk = orders.h_order_pk
    order by owner.effective_dttm desc, owner.sent_dttm desc, owner.value_hash desc
    limit 1
) as current_owner
cross join lateral (
    select status.status
    from dds.s_order_status as status
    where status.h_order_pk = orders.h_order_pk
    order by status.effective_dttm desc, status.sent_dttm desc, status.value_hash desc
    limit 1
) as current_status
cross join lateral (
    select distinct on (held.h_product_pk)
        held.h_product_pk,
        held.is_active
    from dds.es_order_product as held
    where held.h_order_pk = orders.h_order_pk
    order by held.h_product_pk desc, held.effective_dttm desc, held.sent_dttm desc, held.value_hash desc
) as basket
where
    current_owner.h_user_pk = orders.h_user_pk
    and current_status.status = 'CLOSED'
    and basket.is_active;

analyze batch_closed_lines;
