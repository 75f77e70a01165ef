-- The guests that laws "over guests" are asked of, beside what the workers hold of them.
-- From: stg.order_event_log, stg.reference_log, stg.load_queue; dds.h_user, dds.s_user_names, dds.es_order_user; cdm.user_product_counters,
-- cdm.user_category_counters, cdm.user_tags, cdm.tag_events
-- Grain: h_user_pk; of batch_checked_baskets h_order_pk: their orders, and those that wait
-- Rerun: emptied at the end of the transaction
-- Params: first_key, last_key, changed_since
create temporary table batch_checked_guests (
    h_user_pk uuid primary key
) on commit drop;

create temporary table batch_checked_baskets (
    h_order_pk uuid primary key
) on commit drop;

insert into batch_checked_guests (h_user_pk)
select distinct dds.hash_key(user_id)
from stg.order_event_log
where load_dt > %(changed_since)s::timestamptz
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct owned.h_user_pk
from stg.order_event_log as log
inner join dds.es_order_user as owned on log.h_order_pk = owned.h_order_pk
where log.load_dt > %(changed_since)s::timestamptz
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct dds.hash_key(object_id)
from stg.reference_log
where
    load_dt > %(changed_since)s::timestamptz
    and object_type = 'user'
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct h_user_pk
from dds.h_user
where h_user_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct h_user_pk
from dds.s_user_names
where h_user_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct h_user_pk
from dds.es_order_user
where h_user_pk between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct user_id
from cdm.user_product_counters
where user_id between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct user_id
from cdm.user_category_counters
where user_id between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct user_id
from cdm.user_tags
where user_id between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

insert into batch_checked_guests (h_user_pk)
select distinct user_id
from cdm.tag_events
where user_id between %(first_key)s::uuid and %(last_key)s::uuid
on conflict do nothing;

-- The shared guest of the erased has no counters; law stg.erasures says so.
delete from batch_checked_guests
where h_user_pk = dds.erased_guest();

insert into batch_checked_baskets (h_order_pk)
with guests as materialized (
    select h_user_pk
    from batch_checked_guests
)

select distinct owned.h_order_pk
from dds.es_order_user as owned
inner join guests on owned.h_user_pk = guests.h_user_pk
on conflict do nothing;

insert into batch_checked_baskets (h_order_pk)
select distinct object_pk
from stg.load_queue
where source = 'order_event_log'
on conflict do nothing;
