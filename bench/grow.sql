-- Multiplies a loaded history: copy k of every order belongs to copy k of its guest and went its way k weeks before it, so that the
-- orders of a week become as many weeks. Dishes, restaurants and categories stay. Where a table has attributes, only what differs in a
-- copy is named. What is multiplied breaks no law of sql/checks. Runs with indexes and constraints taken off.
-- Params: first_copy, last_copy
-- noqa: disable=AM04

-- The columns of a copy of the row `held`: as they are, but for those that are given otherwise.
create function pg_temp.copied(target regclass, otherwise jsonb) returns text
language sql stable as $$
select string_agg(coalesce(otherwise ->> attname, format('held.%%I', attname)), ', ' order by attnum)
from pg_attribute
where attrelid = target and attnum > 0 and not attisdropped
$$;

do $$
begin
    execute format(
        'insert into stg.order_event_log select %%s from stg.order_event_log as held '
        'cross join generate_series(%(first_copy)s::bigint, %(last_copy)s::bigint) as k',
        pg_temp.copied('stg.order_event_log', jsonb_build_object(
            'value_hash', 'md5(held.value_hash::text || k)::uuid',
            'object_id', 'held.object_id + k * 1000000000',
            'order_dt', $sql$held.order_dt - k * interval '7 days'$sql$,
            'update_ts', $sql$held.update_ts - k * interval '7 days'$sql$,
            'sent_dttm', $sql$held.sent_dttm - k * interval '7 days'$sql$,
            'closed_dttm', $sql$held.closed_dttm - k * interval '7 days'$sql$,
            'user_id', $sql$held.user_id || '-' || k$sql$
        ))
    );
end
$$;

insert into stg.order_events (object_id, payload, object_type, sent_dttm, update_ts, value_hash, load_dt)
select
    object_id + k * 1000000000,
    jsonb_set(payload::jsonb, '{user,id}', to_jsonb((payload -> 'user' ->> 'id') || '-' || k))::json,
    object_type,
    sent_dttm - k * interval '7 days',
    update_ts - k * interval '7 days',
    md5(value_hash::text || k)::uuid,
    load_dt
from stg.order_events
cross join generate_series(%(first_copy)s::bigint, %(last_copy)s::bigint) as k;

insert into stg.reference_keys
select
    object_type,
    object_id || '-' || k,
    true,
    load_dt
from stg.reference_keys
cross join generate_series(%(first_copy)s::bigint, %(last_copy)s::bigint) as k
where object_type = 'user';

create temporary table grown_users as
select
    h_user_pk as old_pk,
    k,
    dds.hash_key(user_id || '-' || k) as new_pk,
    user_id || '-' || k as new_id,
    load_dt,
    load_src
from dds.h_user
cross join generate_series(%(first_copy)s::bigint, %(last_copy)s::bigint) as k;

create temporary table grown_orders as
select
    h_order_pk as old_pk,
    k,
    dds.hash_key((order_id + k * 1000000000)::text) as new_pk,
    order_id + k * 1000000000 as new_id,
    order_dt - k * interval '7 days' as order_dt,
    load_dt,
    load_src
from dds.h_order
cross join generate_series(%(first_copy)s::bigint, %(last_copy)s::bigint) as k;

analyze grown_users;

analyze grown_orders;

insert into dds.h_user
select
    new_pk,
    new_id,
    load_dt,
    load_src
from grown_users;

-- A copy has the name that its guest has now, or anybody's: without a document each run would ask Redis for it.
create temporary table grown_names as
select
    users.new_pk,
    users.new_id,
    md5(held.value_hash::text || users.new_id)::uuid as new_hash,
    held.hk_user_names_pk as old_pk
from grown_users as users
left join dds.current_user_names as known on users.old_pk = known.h_user_pk
inner join dds.s_user_names as held
    on
        coalesce(known.hk_user_names_pk, (select min(hk_user_names_pk::text)::uuid from dds.s_user_names))
        = held.hk_user_names_pk;

insert into stg.reference_log
select grown.*
from grown_names as names
inner join dds.s_user_names as held on names.old_pk = held.hk_user_names_pk
inner join stg.reference_log as log on held.value_hash = log.value_hash
cross join lateral jsonb_populate_record(
    log,
    jsonb_build_object('value_hash', names.new_hash, 'object_id', names.new_id)
) as grown;

insert into dds.s_user_names
select grown.*
from grown_names as names
inner join dds.s_user_names as held on names.old_pk = held.hk_user_names_pk
cross join lateral jsonb_populate_record(
    held,
    jsonb_build_object(
        'hk_user_names_pk', dds.hash_key(names.new_pk::text, names.new_hash::text),
        'h_user_pk', names.new_pk,
        'value_hash', names.new_hash
    )
) as grown;

insert into dds.s_user_contacts
select
    dds.hash_key(names.new_pk::text, names.new_hash::text),
    names.new_pk,
    log.phone,
    log.email,
    log.update_ts,
    names.new_hash,
    log.load_dt,
    'redis'
from grown_names as names
inner join stg.reference_log as log on names.new_hash = log.value_hash
where log.phone is not null or log.email is not null;

drop table grown_names;

insert into dds.h_order
select
    new_pk,
    new_id,
    order_dt,
    load_dt,
    load_src
from grown_orders;

insert into dds.l_order_user
select
    dds.hash_key(orders.new_id::text, users.new_id),
    orders.new_pk,
    users.new_pk,
    held.load_dt,
    held.load_src
from dds.l_order_user as held
inner join grown_orders as orders on held.h_order_pk = orders.old_pk
inner join grown_users as users on held.h_user_pk = users.old_pk and orders.k = users.k;

insert into dds.es_order_user
select
    orders.new_pk,
    users.new_pk,
    held.effective_dttm - orders.k * interval '7 days',
    held.sent_dttm - orders.k * interval '7 days',
    md5(held.value_hash::text || orders.k)::uuid,
    held.load_dt,
    held.load_src
from dds.es_order_user as held
inner join grown_orders as orders on held.h_order_pk = orders.old_pk
inner join grown_users as users on held.h_user_pk = users.old_pk and orders.k = users.k;

insert into dds.l_order_product
select
    dds.hash_key(orders.new_id::text, product.product_id),
    orders.new_pk,
    held.h_product_pk,
    held.load_dt,
    held.load_src
from dds.l_order_product as held
inner join grown_orders as orders on held.h_order_pk = orders.old_pk
inner join dds.h_product as product on held.h_product_pk = product.h_product_pk;

-- What else hangs from an order: its own key, that of the order, the message and the times are the copy's.
do $$
declare
    target regclass;
begin
    for target in
        select vault.name
        from unnest(dds.vault_tables()) as vault (name)
        inner join pg_attribute on attrelid = vault.name and attname = 'h_order_pk'
        where
            vault.name <> all(
                array['dds.h_order', 'dds.l_order_user', 'dds.l_order_product', 'dds.es_order_user']::regclass[]
            )
    loop
        execute format(
            'insert into %%s select %%s from %%s as held inner join grown_orders as orders on held.h_order_pk = orders.old_pk',
            target,
            pg_temp.copied(target, (
                select jsonb_object_agg(
                    attname,
                    case
                        when attname = 'h_order_pk' then 'orders.new_pk'
                        when attname = 'value_hash' then 'md5(held.value_hash::text || orders.k)::uuid'
                        when left(attname, 3) <> 'hk_' then format($sql$held.%%I - orders.k * interval '7 days'$sql$, attname)
                        else 'dds.hash_key(orders.new_pk::text, md5(held.value_hash::text || orders.k)::uuid::text)'
                    end
                )
                from pg_attribute
                where
                    attrelid = target
                    and (
                        left(attname, 3) = 'hk_'
                        or attname in ('h_order_pk', 'value_hash', 'effective_dttm', 'sent_dttm', 'closed_dttm')
                    )
            )),
            target
        );
    end loop;
end
$$;

insert into cdm.user_product_counters (user_id, product_id, product_name, order_cnt)
select
    users.new_pk,
    counters.product_id,
    counters.product_name,
    counters.order_cnt
from cdm.user_product_counters as counters
inner join grown_users as users on counters.user_id = users.old_pk;

insert into cdm.user_category_counters (user_id, category_id, category_name, order_cnt)
select
    users.new_pk,
    counters.category_id,
    counters.category_name,
    counters.order_cnt
from cdm.user_category_counters as counters
inner join grown_users as users on counters.user_id = users.old_pk;

insert into cdm.user_tags
select
    users.new_pk,
    tags.tag,
    tags.category_name,
    tags.order_cnt,
    tags.threshold,
    tags.rule_version,
    tags.assigned_dt - users.k * interval '7 days'
from cdm.user_tags as tags
inner join grown_users as users on tags.user_id = users.old_pk;

insert into cdm.tag_events (user_id, tag, event, category_name, order_cnt, threshold, rule_version, event_dt)
select
    users.new_pk,
    told.tag,
    told.event,
    told.category_name,
    told.order_cnt,
    told.threshold,
    told.rule_version,
    told.event_dt - users.k * interval '7 days'
from cdm.tag_events as told
inner join grown_users as users on told.user_id = users.old_pk
order by told.id, users.k;

insert into stg.order_hours
select
    order_hour - k * interval '7 days',
    restaurant_id,
    status,
    orders,
    empty_orders,
    cost
from stg.order_hours
cross join generate_series(%(first_copy)s::bigint, %(last_copy)s::bigint) as k;

update stg.order_statuses
set
    orders = orders * (%(last_copy)s + 1),
    empty_orders = empty_orders * (%(last_copy)s + 1);

update cdm.product_totals
set
    guests = guests * (%(last_copy)s + 1),
    order_cnt = order_cnt * (%(last_copy)s + 1);

update cdm.category_histogram
set guests = guests * (%(last_copy)s + 1);

insert into cdm.tag_days
select
    tag,
    day - k::integer * 7,
    assigned,
    revoked
from cdm.tag_days
cross join generate_series(%(first_copy)s::bigint, %(last_copy)s::bigint) as k;

drop table grown_users;

drop table grown_orders;
