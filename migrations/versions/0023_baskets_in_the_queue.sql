-- The marts are told which baskets changed, not only whose. What waits already has no basket: those guests are counted anew, as are
-- those whom the release before queues meanwhile.
alter table dds.counter_queue
add column h_order_pk uuid,
add column products uuid[],
add column change smallint,
add constraint counter_queue_is_a_guest_or_a_basket check (num_nulls(h_order_pk, products, change) in (0, 3)),
add constraint counter_queue_change_check check (change in (-1, 1));

comment on table dds.counter_queue is 'Baskets that came or went, guests to count anew: filled where DDS loads, emptied where CDM does';
comment on column dds.counter_queue.h_order_pk is 'The order of the basket; NULL: the guest is counted anew, whatever else waits of theirs';
comment on column dds.counter_queue.products is 'The dishes of the basket: dds.h_product.h_product_pk; NULL without an order';
comment on column dds.counter_queue.change is '1: the basket counts for the guest now, -1: it no longer does; NULL without an order';
comment on column cdm.v_freshness.guests_waiting is 'Guests whose counters have still to change';

-- The newest status of an order is found without those before it.
create index s_order_status_version on dds.s_order_status (h_order_pk, effective_dttm);
drop index dds.s_order_status_h_order_pk;
