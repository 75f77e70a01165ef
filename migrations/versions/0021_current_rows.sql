-- Which row of a satellite is current, once for each: the laws, the views for people, the tests, and loads that look up few rows
-- all ask these views. The columns are those of the satellite, all of them, and are commented there.
-- noqa: disable=AM04
create view dds.current_order_cost as
select distinct on (h_order_pk) *
from dds.s_order_cost
order by h_order_pk asc, effective_dttm desc, sent_dttm desc, value_hash desc;
comment on view dds.current_order_cost is 'One row = an order: what it costs now';

create view dds.current_order_status as
select distinct on (h_order_pk) *
from dds.s_order_status
order by h_order_pk asc, effective_dttm desc, sent_dttm desc, value_hash desc;
comment on view dds.current_order_status is 'One row = an order: its status now';

create view dds.current_order_user as
select distinct on (h_order_pk) *
from dds.es_order_user
order by h_order_pk asc, effective_dttm desc, sent_dttm desc, value_hash desc;
comment on view dds.current_order_user is 'One row = an order: whose it is now';

create view dds.current_order_product as
select distinct on (h_order_pk, h_product_pk) *
from dds.es_order_product
order by h_order_pk asc, h_product_pk asc, effective_dttm desc, sent_dttm desc, value_hash desc;
comment on view dds.current_order_product is 'One row = an order and a dish that it has ever held: whether it holds it now (is_active)';

create view dds.current_user_names as
select distinct on (h_user_pk) *
from dds.s_user_names
order by h_user_pk asc, effective_dttm desc, value_hash desc;
comment on view dds.current_user_names is 'One row = a guest with a document: name and login now';

create view dds.current_restaurant_names as
select distinct on (h_restaurant_pk) *
from dds.s_restaurant_names
order by h_restaurant_pk asc, effective_dttm desc, value_hash desc;
comment on view dds.current_restaurant_names is 'One row = a restaurant with a document: its name now';

create view dds.current_product_names as
select distinct on (h_product_pk) *
from dds.s_product_names
order by h_product_pk asc, is_from_menu desc, effective_dttm desc, sent_dttm desc, restaurant_id desc, value_hash desc;
comment on view dds.current_product_names is 'One row = a dish that has a name: its name now, by a menu rather than by an order line';

create view dds.current_product_category as
select distinct on (h_product_pk) *
from dds.es_product_category
order by h_product_pk asc, effective_dttm desc, restaurant_id desc, value_hash desc;
comment on view dds.current_product_category is 'One row = a dish that some menu has given a category: its category now';

-- What counts, said once.
create view dds.closed_lines as
select
    owner.h_user_pk,
    owner.h_order_pk,
    basket.h_product_pk,
    category.h_category_pk,
    status.closed_dttm
from dds.current_order_user as owner
inner join dds.current_order_status as status on owner.h_order_pk = status.h_order_pk
inner join dds.current_order_product as basket on owner.h_order_pk = basket.h_order_pk
left join dds.current_product_category as category on basket.h_product_pk = category.h_product_pk
where status.status = 'CLOSED' and basket.is_active;
comment on view dds.closed_lines is 'What counts: one row = a dish that an order with the status CLOSED holds now';
comment on column dds.closed_lines.h_user_pk is 'Guest: dds.h_user.h_user_pk';
comment on column dds.closed_lines.h_order_pk is 'Order: dds.h_order.h_order_pk';
comment on column dds.closed_lines.h_product_pk is 'Dish: dds.h_product.h_product_pk';
comment on column dds.closed_lines.closed_dttm is 'When the order became CLOSED, as the source says; NULL where it does not';
comment on column dds.closed_lines.h_category_pk is 'Category of the dish now: dds.h_category; NULL while no menu says';

-- What the vault does not know yet: the laws about what it must know leave it out.
create view stg.queued_orders as
select distinct log.object_id
from stg.load_queue as queue
inner join stg.order_event_log as log on queue.value_hash = log.value_hash
where queue.source = 'order_event_log';
comment on view stg.queued_orders is 'One row = an order of which a message waits for the vault';
comment on column stg.queued_orders.object_id is 'Order: stg.order_event_log.object_id';

create view stg.queued_documents as
select
    log.object_type,
    log.object_id,
    log.menu_ids
from stg.load_queue as queue
inner join stg.reference_log as log on queue.value_hash = log.value_hash
where queue.source = 'reference_log';
comment on view stg.queued_documents is 'One row = a document of Redis that waits for the vault';
comment on column stg.queued_documents.object_type is 'user or restaurant';
comment on column stg.queued_documents.object_id is 'Guest or restaurant: stg.reference_log.object_id';
comment on column stg.queued_documents.menu_ids is 'Dishes of its menu; empty of a guest';

grant select on
stg.queued_orders, stg.queued_documents,
dds.current_order_cost, dds.current_order_status, dds.current_order_user, dds.current_order_product, dds.current_user_names,
dds.current_restaurant_names, dds.current_product_names, dds.current_product_category, dds.closed_lines
to dwh_etl;

-- The views for analysts say it in these words, too; their columns stay.
create or replace view cdm.v_orders_hourly with (security_barrier) as
select
    hours.order_hour,
    hours.restaurant_id,
    restaurants.name as restaurant_name,
    hours.status,
    hours.orders,
    hours.cost
from stg.order_hours as hours
left join (
    select
        hub.restaurant_id,
        current_name.name
    from dds.h_restaurant as hub
    inner join dds.current_restaurant_names as current_name on hub.h_restaurant_pk = current_name.h_restaurant_pk
) as restaurants on hours.restaurant_id = restaurants.restaurant_id;

create or replace view cdm.v_product_counters with (security_barrier) as
select
    hub.product_id,
    coalesce(current_name.name, '') as product_name,
    category.category_name,
    totals.guests,
    totals.order_cnt
from cdm.product_totals as totals
inner join dds.h_product as hub on totals.product_id = hub.h_product_pk
left join dds.current_product_names as current_name on totals.product_id = current_name.h_product_pk
left join dds.current_product_category as current_category on totals.product_id = current_category.h_product_pk
left join dds.h_category as category on current_category.h_category_pk = category.h_category_pk;
