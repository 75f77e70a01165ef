create schema stg;
comment on schema stg is 'As received from Kafka and Redis: the source of truth. DDS and CDM can be built again from it';

create table stg.order_event_log (
    value_hash uuid primary key,
    object_id bigint not null,
    update_ts timestamptz not null,
    sent_dttm timestamptz not null,
    order_dt timestamptz not null,
    user_id text not null,
    restaurant_id text not null,
    final_status text not null,
    cost numeric,
    payment numeric,
    item_ids text[] not null,
    item_names text[] not null,
    value json not null,
    topic text not null,
    "partition" integer,
    "offset" bigint,
    load_dt timestamptz not null,
    constraint item_arrays_are_parallel check (cardinality(item_ids) = cardinality(item_names))
);
create index order_event_log_object_id on stg.order_event_log (object_id, update_ts);
comment on table stg.order_event_log is 'Every distinct order message ever accepted, append-only. One row = one content (bytes of the value), wherever and however often it arrived';
comment on column stg.order_event_log.value_hash is 'Identity of the message: the first 16 bytes of the SHA-256 of the value';
comment on column stg.order_event_log.object_id is 'Order id';
comment on column stg.order_event_log.update_ts is 'payload.update_ts: business time of this version of the order';
comment on column stg.order_event_log.sent_dttm is 'When the source sent it; breaks ties of update_ts';
comment on column stg.order_event_log.order_dt is 'When the order began: the earliest dttm in payload.statuses, else payload.date, else payload.update_ts';
comment on column stg.order_event_log.user_id is 'payload.user.id';
comment on column stg.order_event_log.restaurant_id is 'payload.restaurant.id';
comment on column stg.order_event_log.final_status is 'payload.final_status, as written by the source; only CLOSED counts';
comment on column stg.order_event_log.cost is 'payload.cost, exact';
comment on column stg.order_event_log.payment is 'payload.payment, exact';
comment on column stg.order_event_log.item_ids is 'Ids of the dishes in the basket, each once, in the order of their first lines';
comment on column stg.order_event_log.item_names is 'Names of the same dishes as the order lines give them, in the order of item_ids';
comment on column stg.order_event_log.value is 'The whole message, to the letter';
comment on column stg.order_event_log.topic is 'Kafka topic it was first read from';
comment on column stg.order_event_log."partition" is 'Partition it was first read from';
comment on column stg.order_event_log."offset" is 'Offset it was first read from';
comment on column stg.order_event_log.load_dt is 'When the warehouse accepted it';

create table stg.order_events (
    id bigint generated always as identity primary key,
    object_id bigint not null unique,
    payload json not null,
    object_type varchar not null,
    sent_dttm timestamptz not null,
    update_ts timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null
);
comment on table stg.order_events is 'The newest version of each order, by (update_ts, sent_dttm, value_hash): an older one never replaces a newer one';
comment on column stg.order_events.id is 'Serial number of the order in the warehouse';
comment on column stg.order_events.object_id is 'Order id';
comment on column stg.order_events.payload is 'The payload object of the message, to the letter';
comment on column stg.order_events.object_type is 'Always order';
comment on column stg.order_events.sent_dttm is 'When the source sent this version';
comment on column stg.order_events.update_ts is 'Business time of this version';
comment on column stg.order_events.value_hash is 'The message of this version in stg.order_event_log';
comment on column stg.order_events.load_dt is 'When the warehouse took this version';

create table stg.reference_log (
    value_hash uuid primary key,
    object_type text not null check (object_type in ('user', 'restaurant')),
    object_id text not null,
    update_ts timestamptz not null,
    name text,
    login text,
    menu_ids text[] not null,
    menu_names text[] not null,
    menu_categories text[] not null,
    value json not null,
    load_dt timestamptz not null,
    constraint menu_arrays_are_parallel check (
        cardinality(menu_ids) = cardinality(menu_names)
        and cardinality(menu_ids) = cardinality(menu_categories)
    )
);
create index reference_log_object_id on stg.reference_log (object_type, object_id, update_ts);
comment on table stg.reference_log is 'Every distinct version of every user and restaurant seen in Redis, append-only';
comment on column stg.reference_log.value_hash is 'Identity of the version: the first 16 bytes of the SHA-256 of the value';
comment on column stg.reference_log.object_type is 'user or restaurant';
comment on column stg.reference_log.object_id is '_id of the document, equal to its Redis key without the prefix';
comment on column stg.reference_log.update_ts is 'update_ts_utc: business time of this version';
comment on column stg.reference_log.name is 'Name of the guest or the restaurant';
comment on column stg.reference_log.login is 'Login of the guest';
comment on column stg.reference_log.menu_ids is 'Ids of the dishes on the menu, each once, in the order of their first entries; empty for a user';
comment on column stg.reference_log.menu_names is 'Their names, in the order of menu_ids';
comment on column stg.reference_log.menu_categories is 'Their categories, in the order of menu_ids';
comment on column stg.reference_log.value is 'The whole document, to the letter';
comment on column stg.reference_log.load_dt is 'When the warehouse saw it first';

create table stg.reference_keys (
    object_type text not null check (object_type in ('user', 'restaurant')),
    object_id text not null,
    is_found boolean not null,
    load_dt timestamptz not null,
    primary key (object_type, object_id)
);
create index reference_keys_missing on stg.reference_keys (object_type, object_id) where not is_found;
comment on table stg.reference_keys is 'Every guest and restaurant that an order has named: what to ask Redis for';
comment on column stg.reference_keys.object_type is 'user or restaurant';
comment on column stg.reference_keys.object_id is 'Id as the order gives it';
comment on column stg.reference_keys.is_found is 'Whether stg.reference_log holds at least one version';
comment on column stg.reference_keys.load_dt is 'When an order named it first';

create table stg.dead_letters (
    id bigint generated always as identity primary key,
    value_hash uuid not null unique,
    raw bytea,
    topic text not null,
    "partition" integer,
    "offset" bigint,
    message_key bytea,
    reason text not null,
    detail text not null,
    attempts integer not null,
    load_dt timestamptz not null,
    attempt_dt timestamptz not null,
    solved_dt timestamptz
);
create index dead_letters_unsolved on stg.dead_letters (reason, id) where solved_dt is null;
comment on table stg.dead_letters is 'What could not be accepted, and why. One row = one content; nothing is removed, the DAG dead_letters_replay tries again';
comment on column stg.dead_letters.id is 'Serial number, a parameter of dead_letters_replay';
comment on column stg.dead_letters.value_hash is 'Identity: the first 16 bytes of the SHA-256 of the value (of a tombstone: of its key)';
comment on column stg.dead_letters.raw is 'The value, byte by byte; NULL = a tombstone';
comment on column stg.dead_letters.topic is 'Kafka topic, or redis for a reference document';
comment on column stg.dead_letters."partition" is 'Kafka partition';
comment on column stg.dead_letters."offset" is 'Kafka offset at which it was first seen';
comment on column stg.dead_letters.message_key is 'Kafka record key, or the Redis key';
comment on column stg.dead_letters.reason is 'Reason code, see docs/messages.md';
comment on column stg.dead_letters.detail is 'What is wrong, for a person';
comment on column stg.dead_letters.attempts is 'How often it was tried: 1, and one more by each replay';
comment on column stg.dead_letters.load_dt is 'When it was seen first';
comment on column stg.dead_letters.attempt_dt is 'When it was tried last';
comment on column stg.dead_letters.solved_dt is 'When a replay accepted it; NULL = still rejected';

create table stg.load_queue (
    source text not null check (source in ('order_event_log', 'reference_log')),
    value_hash uuid not null,
    load_dt timestamptz not null,
    primary key (source, value_hash)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table stg.load_queue is 'What DDS has still to load: filled in the transaction that stores the message, emptied in the one that loads it';
comment on column stg.load_queue.source is 'The log that holds it: order_event_log or reference_log';
comment on column stg.load_queue.value_hash is 'Its value_hash there';
comment on column stg.load_queue.load_dt is 'When it was queued';
