-- May be NULL: what is queued already, and what tasks of the image before this one queue until it is replaced, lacks it.
alter table stg.load_queue add column object_id bigint;
comment on column stg.load_queue.object_id is 'Of an order message its order; NULL where whoever queued it did not say';
