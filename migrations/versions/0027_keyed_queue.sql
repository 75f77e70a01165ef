-- The queue of the vault holds the key of the order: a load takes a range of keys, and no two loads have versions of one order.
alter table stg.load_queue add column h_order_pk uuid;
comment on column stg.load_queue.h_order_pk is
'Key of the order in the vault; NULL for documents, and for messages that the release before has queued';

update stg.load_queue
set h_order_pk = dds.hash_key(object_id::text)
where object_id is not null;
