-- Temporary: the dishes that count: for guests who are counted anew those in all of their CLOSED orders, by the vault's current
-- rows; for the others those in the baskets that came or went. One statement, so one snapshot: the counters by dish and by category
-- can't disagree.
-- From: batch_guests, batch_claims, dds.es_order_user, dds.s_order_status, dds.es_order_product
-- Grain: h_order_pk, claim_id (0: counted anew), h_product_pk
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_closed_lines (
    h_user_pk uuid,
    h_order_pk uuid,
    claim_id bigint,
    h_product_pk uuid,
    change smallint
) on commit drop;

insert into batch_closed_lines
with touched as (
    select distinct owned.h_order_pk
    from batch_guests as guest
    inner join dds.es_order_user as owned on guest.h_user_pk = owned.h_user_pk
    where guest.is_recounted
),

-- An order that was corrected to another guest is no longer among those of the first.
owners as (
    select distinct on (owner.h_order_pk)
        owner.h_order_pk,
        owner.h_user_pk
    from touched
    inner join dds.es_order_user as owner on touched.h_order_pk = owner.h_order_pk
    order by owner.h_order_pk asc, owner.effective_dttm desc, owner.sent_dttm desc, owner.value_hash desc
),

statuses as (
    select distinct on (status.h_order_pk)
        status.h_order_pk,
        status.status
    from touched
    inner join dds.s_order_status as status on touched.h_order_pk = status.h_order_pk
    order by status.h_order_pk asc, status.effective_dttm desc, status.sent_dttm desc, status.value_hash desc
),

baskets as (
    select distinct on (held.h_order_pk, held.h_product_pk)
        held.h_order_pk,
        held.h_product_pk,
        held.is_active
    from touched
    inner join dds.es_order_product as held on touched.h_order_pk = held.h_order_pk
    order by
        held.h_order_pk asc,
        held.h_product_pk asc,
        held.effective_dttm desc,
        held.sent_dttm desc,
        held.value_hash desc
)

select
    owners.h_user_pk,
    owners.h_order_pk,
    0,
    baskets.h_product_pk,
    1
from owners
inner join batch_guests as guest on owners.h_user_pk = guest.h_user_pk
inner join statuses on owners.h_order_pk = statuses.h_order_pk
inner join baskets on owners.h_order_pk = baskets.h_order_pk
where
    guest.is_recounted
    and statuses.status = 'CLOSED'
    and baskets.is_active

union all

select
    claim.h_user_pk,
    claim.h_order_pk,
    claim.id,
    unnest(claim.products),
    claim.change
from batch_claims as claim
inner join batch_guests as guest on claim.h_user_pk = guest.h_user_pk
where not guest.is_recounted;

analyze batch_closed_lines;
