-- Temporary: the guests that laws "over guests" are asked of: those of the orders with a message that is newer than changed_since,
-- before and after it, those with such a document, and those whose key lies between two keys, in whichever table it stands.
-- From: stg.order_event_log, stg.reference_log; dds.h_user, dds.s_user_names, dds.es_order_user; cdm.user_product_counters,
-- cdm.user_category_counters, cdm.user_tags, cdm.tag_events
-- Grain: h_user_pk
-- Rerun: dropped at the end of the transaction
-- Params: first_key, last_key, changed_since
create temporary table batch_checked_guests (
    h_user_pk uuid
) on commit drop;

insert into batch_checked_guests (h_user_pk)
select dds.hash_key(user_id)
from stg.order_event_log
where load_dt > %(changed_since)s::timestamptz

union

select owned.h_user_pk
from stg.order_event_log as log
inner join dds.es_order_user as owned on dds.hash_key(log.object_id::text) = owned.h_order_pk
where log.load_dt > %(changed_since)s::timestamptz

union

select dds.hash_key(object_id)
from stg.reference_log
where
    load_dt > %(changed_since)s::timestamptz
    and object_type = 'user'

union

select h_user_pk
from dds.h_user
where h_user_pk between %(first_key)s::uuid and %(last_key)s::uuid

union

select h_user_pk
from dds.s_user_names
where h_user_pk between %(first_key)s::uuid and %(last_key)s::uuid

union

select h_user_pk
from dds.es_order_user
where h_user_pk between %(first_key)s::uuid and %(last_key)s::uuid

union

select user_id
from cdm.user_product_counters
where user_id between %(first_key)s::uuid and %(last_key)s::uuid

union

select user_id
from cdm.user_category_counters
where user_id between %(first_key)s::uuid and %(last_key)s::uuid

union

select user_id
from cdm.user_tags
where user_id between %(first_key)s::uuid and %(last_key)s::uuid

union

select user_id
from cdm.tag_events
where user_id between %(first_key)s::uuid and %(last_key)s::uuid;

-- The shared guest of the erased has no counters; law stg.erasures says so.
delete from batch_checked_guests
where h_user_pk = dds.erased_guest();

analyze batch_checked_guests;
