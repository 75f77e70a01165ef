create schema dds;
comment on schema dds is 'Data Vault: hubs and links (what exists), satellites (how it was, by business time), effectivity satellites (which links hold)';

-- Keys of the vault. The encoding is unambiguous: a part is its length, a colon and its text, NULL is a dash; so ('12', '3')
-- is not ('1', '23'), NULL is not '', case and blanks count. Plain expressions, so that PostgreSQL inlines them.
create function dds.hash_key(part text) returns uuid
language sql immutable parallel safe
return md5(coalesce(length(part)::text || ':' || part, '-'))::uuid;

create function dds.hash_key(part_1 text, part_2 text) returns uuid
language sql immutable parallel safe
return md5(
    coalesce(length(part_1)::text || ':' || part_1, '-')
    || coalesce(length(part_2)::text || ':' || part_2, '-')
)::uuid;

comment on function dds.hash_key(text) is 'Deterministic key of a hub: the business key as a uuid';
comment on function dds.hash_key(text, text) is 'Deterministic key of a link or of a satellite row: two key parts as a uuid';

create table dds.h_order (
    h_order_pk uuid primary key,
    order_id bigint not null unique,
    order_dt timestamptz not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
comment on table dds.h_order is 'Hub: one row = one order ever named by a source';
comment on column dds.h_order.h_order_pk is 'dds.hash_key(order_id)';
comment on column dds.h_order.order_id is 'Order id of the source';
comment on column dds.h_order.order_dt is 'When the order began';
comment on column dds.h_order.load_dt is 'When the row was loaded';
comment on column dds.h_order.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.h_user (
    h_user_pk uuid primary key,
    user_id varchar not null unique,
    load_dt timestamptz not null,
    load_src varchar not null
);
comment on table dds.h_user is 'Hub: one row = one user ever named by a source';
comment on column dds.h_user.h_user_pk is 'dds.hash_key(user_id)';
comment on column dds.h_user.user_id is 'Guest id of the source';
comment on column dds.h_user.load_dt is 'When the row was loaded';
comment on column dds.h_user.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.h_product (
    h_product_pk uuid primary key,
    product_id varchar not null unique,
    load_dt timestamptz not null,
    load_src varchar not null
);
comment on table dds.h_product is 'Hub: one row = one product ever named by a source';
comment on column dds.h_product.h_product_pk is 'dds.hash_key(product_id)';
comment on column dds.h_product.product_id is 'Dish id of the source';
comment on column dds.h_product.load_dt is 'When the row was loaded';
comment on column dds.h_product.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.h_category (
    h_category_pk uuid primary key,
    category_name varchar not null unique,
    load_dt timestamptz not null,
    load_src varchar not null
);
comment on table dds.h_category is 'Hub: one row = one category ever named by a source';
comment on column dds.h_category.h_category_pk is 'dds.hash_key(category_name)';
comment on column dds.h_category.category_name is 'Name of the category, as the menus write it';
comment on column dds.h_category.load_dt is 'When the row was loaded';
comment on column dds.h_category.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.h_restaurant (
    h_restaurant_pk uuid primary key,
    restaurant_id varchar not null unique,
    load_dt timestamptz not null,
    load_src varchar not null
);
comment on table dds.h_restaurant is 'Hub: one row = one restaurant ever named by a source';
comment on column dds.h_restaurant.h_restaurant_pk is 'dds.hash_key(restaurant_id)';
comment on column dds.h_restaurant.restaurant_id is 'Restaurant id of the source';
comment on column dds.h_restaurant.load_dt is 'When the row was loaded';
comment on column dds.h_restaurant.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.l_order_user (
    hk_order_user_pk uuid primary key,
    h_order_pk uuid not null references dds.h_order (h_order_pk),
    h_user_pk uuid not null references dds.h_user (h_user_pk),
    load_dt timestamptz not null,
    load_src varchar not null
);
comment on table dds.l_order_user is 'Link: one row = one pair of order and user that some version has held';
comment on column dds.l_order_user.hk_order_user_pk is 'dds.hash_key(order_id, user_id)';
comment on column dds.l_order_user.h_order_pk is 'The order';
comment on column dds.l_order_user.h_user_pk is 'The user';
comment on column dds.l_order_user.load_dt is 'When the row was loaded';
comment on column dds.l_order_user.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.l_order_product (
    hk_order_product_pk uuid primary key,
    h_order_pk uuid not null references dds.h_order (h_order_pk),
    h_product_pk uuid not null references dds.h_product (h_product_pk),
    load_dt timestamptz not null,
    load_src varchar not null
);
create index l_order_product_h_product_pk on dds.l_order_product (h_product_pk);
comment on table dds.l_order_product is 'Link: one row = one pair of order and product that some version has held';
comment on column dds.l_order_product.hk_order_product_pk is 'dds.hash_key(order_id, product_id)';
comment on column dds.l_order_product.h_order_pk is 'The order';
comment on column dds.l_order_product.h_product_pk is 'The product';
comment on column dds.l_order_product.load_dt is 'When the row was loaded';
comment on column dds.l_order_product.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.l_product_category (
    hk_product_category_pk uuid primary key,
    h_product_pk uuid not null references dds.h_product (h_product_pk),
    h_category_pk uuid not null references dds.h_category (h_category_pk),
    load_dt timestamptz not null,
    load_src varchar not null
);
comment on table dds.l_product_category is 'Link: one row = one pair of product and category that some version has held';
comment on column dds.l_product_category.hk_product_category_pk is 'dds.hash_key(product_id, category_name)';
comment on column dds.l_product_category.h_product_pk is 'The product';
comment on column dds.l_product_category.h_category_pk is 'The category';
comment on column dds.l_product_category.load_dt is 'When the row was loaded';
comment on column dds.l_product_category.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.l_product_restaurant (
    hk_product_restaurant_pk uuid primary key,
    h_product_pk uuid not null references dds.h_product (h_product_pk),
    h_restaurant_pk uuid not null references dds.h_restaurant (h_restaurant_pk),
    load_dt timestamptz not null,
    load_src varchar not null
);
create index l_product_restaurant_h_product_pk on dds.l_product_restaurant (h_product_pk);
comment on table dds.l_product_restaurant is 'Link: one row = one pair of product and restaurant that some version has held';
comment on column dds.l_product_restaurant.hk_product_restaurant_pk is 'dds.hash_key(product_id, restaurant_id)';
comment on column dds.l_product_restaurant.h_product_pk is 'The product';
comment on column dds.l_product_restaurant.h_restaurant_pk is 'The restaurant';
comment on column dds.l_product_restaurant.load_dt is 'When the row was loaded';
comment on column dds.l_product_restaurant.load_src is 'Where it came from: kafka:<topic> or redis';

-- An order has a handful of versions: to find the last one among them, an index on the order is enough, and much cheaper to fill.
create table dds.s_order_cost (
    hk_order_cost_pk uuid primary key,
    h_order_pk uuid not null references dds.h_order (h_order_pk),
    cost numeric,
    payment numeric,
    effective_dttm timestamptz not null,
    sent_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
create index s_order_cost_h_order_pk on dds.s_order_cost (h_order_pk);
comment on table dds.s_order_cost is 'Satellite, what an order costs: one row = a change, by business time. The row in force is the last by (effective_dttm, sent_dttm, value_hash)';
comment on column dds.s_order_cost.hk_order_cost_pk is 'dds.hash_key(parent key, value_hash)';
comment on column dds.s_order_cost.h_order_pk is 'The order';
comment on column dds.s_order_cost.cost is 'payload.cost';
comment on column dds.s_order_cost.payment is 'payload.payment';
comment on column dds.s_order_cost.effective_dttm is 'Business time at which the row became true';
comment on column dds.s_order_cost.sent_dttm is 'When the source sent that version: breaks ties of effective_dttm';
comment on column dds.s_order_cost.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.s_order_cost.load_dt is 'When the row was loaded';
comment on column dds.s_order_cost.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.s_order_status (
    hk_order_status_pk uuid primary key,
    h_order_pk uuid not null references dds.h_order (h_order_pk),
    status varchar not null,
    effective_dttm timestamptz not null,
    sent_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
create index s_order_status_h_order_pk on dds.s_order_status (h_order_pk);
comment on table dds.s_order_status is 'Satellite, status of an order: one row = a change, by business time. The row in force is the last by (effective_dttm, sent_dttm, value_hash)';
comment on column dds.s_order_status.hk_order_status_pk is 'dds.hash_key(parent key, value_hash)';
comment on column dds.s_order_status.h_order_pk is 'The order';
comment on column dds.s_order_status.status is 'Status as the source writes it; only CLOSED counts';
comment on column dds.s_order_status.effective_dttm is 'Business time at which the row became true';
comment on column dds.s_order_status.sent_dttm is 'When the source sent that version: breaks ties of effective_dttm';
comment on column dds.s_order_status.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.s_order_status.load_dt is 'When the row was loaded';
comment on column dds.s_order_status.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.s_user_names (
    hk_user_names_pk uuid primary key,
    h_user_pk uuid not null references dds.h_user (h_user_pk),
    username varchar,
    userlogin varchar,
    effective_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
create unique index s_user_names_version on dds.s_user_names (h_user_pk, effective_dttm, value_hash);
comment on table dds.s_user_names is 'Satellite, names of a guest: one row = a change, by business time. The row in force is the last by (effective_dttm, value_hash)';
comment on column dds.s_user_names.hk_user_names_pk is 'dds.hash_key(parent key, value_hash)';
comment on column dds.s_user_names.h_user_pk is 'The user';
comment on column dds.s_user_names.username is 'Name of the guest';
comment on column dds.s_user_names.userlogin is 'Login of the guest';
comment on column dds.s_user_names.effective_dttm is 'Business time at which the row became true';
comment on column dds.s_user_names.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.s_user_names.load_dt is 'When the row was loaded';
comment on column dds.s_user_names.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.s_product_names (
    hk_product_names_pk uuid primary key,
    h_product_pk uuid not null references dds.h_product (h_product_pk),
    name varchar not null,
    is_from_menu boolean not null,
    effective_dttm timestamptz not null,
    sent_dttm timestamptz not null,
    restaurant_id varchar collate "C" not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
create unique index s_product_names_version on dds.s_product_names (h_product_pk, is_from_menu, effective_dttm, sent_dttm, restaurant_id, value_hash);
comment on table dds.s_product_names is 'Satellite, name of a dish: one row = a change, by business time. The row in force is the last by (is_from_menu, effective_dttm, sent_dttm, restaurant_id, value_hash)';
comment on column dds.s_product_names.hk_product_names_pk is 'dds.hash_key(parent key, value_hash)';
comment on column dds.s_product_names.h_product_pk is 'The product';
comment on column dds.s_product_names.name is 'Name of the dish';
comment on column dds.s_product_names.is_from_menu is 'Whether a menu says so: an order line names a dish only while no menu has it';
comment on column dds.s_product_names.effective_dttm is 'Business time at which the row became true';
comment on column dds.s_product_names.sent_dttm is 'When the source sent that version: breaks ties of effective_dttm';
comment on column dds.s_product_names.restaurant_id is 'Restaurant whose menu says so; breaks ties of effective_dttm. Empty where no menu does';
comment on column dds.s_product_names.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.s_product_names.load_dt is 'When the row was loaded';
comment on column dds.s_product_names.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.s_restaurant_names (
    hk_restaurant_names_pk uuid primary key,
    h_restaurant_pk uuid not null references dds.h_restaurant (h_restaurant_pk),
    name varchar,
    effective_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
create unique index s_restaurant_names_version on dds.s_restaurant_names (h_restaurant_pk, effective_dttm, value_hash);
comment on table dds.s_restaurant_names is 'Satellite, name of a restaurant: one row = a change, by business time. The row in force is the last by (effective_dttm, value_hash)';
comment on column dds.s_restaurant_names.hk_restaurant_names_pk is 'dds.hash_key(parent key, value_hash)';
comment on column dds.s_restaurant_names.h_restaurant_pk is 'The restaurant';
comment on column dds.s_restaurant_names.name is 'Name of the restaurant';
comment on column dds.s_restaurant_names.effective_dttm is 'Business time at which the row became true';
comment on column dds.s_restaurant_names.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.s_restaurant_names.load_dt is 'When the row was loaded';
comment on column dds.s_restaurant_names.load_src is 'Where it came from: kafka:<topic> or redis';

-- Effectivity satellites name the two ends of their link, which is unique in them: readers come from an end, not from the link's key.
create table dds.es_order_user (
    h_order_pk uuid not null,
    h_user_pk uuid not null,
    effective_dttm timestamptz not null,
    sent_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null,
    primary key (h_order_pk, value_hash)
);
create index es_order_user_h_user_pk on dds.es_order_user (h_user_pk, h_order_pk);
comment on table dds.es_order_user is 'Effectivity satellite of dds.l_order_user: which guest an order belongs to. The link in force is that of the last row by (effective_dttm, sent_dttm, value_hash)';
comment on column dds.es_order_user.h_order_pk is 'The order: the driving key, one guest at a time';
comment on column dds.es_order_user.h_user_pk is 'The guest from this version on';
comment on column dds.es_order_user.effective_dttm is 'Business time at which the row became true';
comment on column dds.es_order_user.sent_dttm is 'When the source sent that version: breaks ties of effective_dttm';
comment on column dds.es_order_user.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.es_order_user.load_dt is 'When the row was loaded';
comment on column dds.es_order_user.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.es_order_product (
    h_order_pk uuid not null,
    h_product_pk uuid not null,
    is_active boolean not null,
    effective_dttm timestamptz not null,
    sent_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null,
    primary key (h_order_pk, h_product_pk, value_hash)
);
comment on table dds.es_order_product is 'Effectivity satellite of dds.l_order_product: whether an order holds a dish. A link is in force while its last row by (effective_dttm, sent_dttm, value_hash) is active';
comment on column dds.es_order_product.h_order_pk is 'The order';
comment on column dds.es_order_product.h_product_pk is 'The dish';
comment on column dds.es_order_product.is_active is 'Whether the basket holds the dish from this version on';
comment on column dds.es_order_product.effective_dttm is 'Business time at which the row became true';
comment on column dds.es_order_product.sent_dttm is 'When the source sent that version: breaks ties of effective_dttm';
comment on column dds.es_order_product.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.es_order_product.load_dt is 'When the row was loaded';
comment on column dds.es_order_product.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.es_product_category (
    h_product_pk uuid not null,
    h_category_pk uuid not null,
    effective_dttm timestamptz not null,
    restaurant_id varchar collate "C" not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null,
    primary key (h_product_pk, effective_dttm, restaurant_id, value_hash)
);
comment on table dds.es_product_category is 'Effectivity satellite of dds.l_product_category: which category a dish belongs to. The link in force is that of the last row by (effective_dttm, restaurant_id, value_hash)';
comment on column dds.es_product_category.h_product_pk is 'The dish: the driving key, one category at a time';
comment on column dds.es_product_category.h_category_pk is 'The category from this version on';
comment on column dds.es_product_category.effective_dttm is 'Business time at which the row became true';
comment on column dds.es_product_category.restaurant_id is 'Restaurant whose menu says so; breaks ties of effective_dttm. Empty where no menu does';
comment on column dds.es_product_category.value_hash is 'The message or document in STG that says so: breaks ties that are left';
comment on column dds.es_product_category.load_dt is 'When the row was loaded';
comment on column dds.es_product_category.load_src is 'Where it came from: kafka:<topic> or redis';

create table dds.counter_queue (
    id bigint generated always as identity primary key,
    h_user_pk uuid not null,
    load_dt timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table dds.counter_queue is 'Guests whose counters must be recomputed: filled in the DDS transaction, emptied in the CDM one. A guest may stand in it several times: with a unique key a load would skip a row that CDM is just taking';
comment on column dds.counter_queue.id is 'Serial number';
comment on column dds.counter_queue.h_user_pk is 'The guest';
comment on column dds.counter_queue.load_dt is 'When it was queued';

-- The vault is insert-only for the pipeline, which has no right to delete; to build it again from STG is the one exception.
create function dds.clear_vault() returns void
language sql security definer set search_path = ''
as $$
truncate
    dds.h_order, dds.h_user, dds.h_product, dds.h_category, dds.h_restaurant,
    dds.l_order_user, dds.l_order_product, dds.l_product_category, dds.l_product_restaurant,
    dds.s_order_cost, dds.s_order_status, dds.s_user_names, dds.s_product_names, dds.s_restaurant_names,
    dds.es_order_user, dds.es_order_product, dds.es_product_category
$$;
comment on function dds.clear_vault() is 'Empties the vault before it is built again from STG in the same transaction. Whoever reads the vault meanwhile waits for the new rows; the marts stay readable';
revoke all on function dds.clear_vault() from public;
