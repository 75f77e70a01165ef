-- Temporary: what the guests of the batch add to cdm.category_histogram before their counters change.
-- From: batch_guests, cdm.user_category_counters
-- Grain: category_id, order_cnt
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_categories_before (
    category_id uuid,
    category_name varchar,
    order_cnt integer,
    guests bigint
) on commit drop;

insert into batch_categories_before
select
    counters.category_id,
    max(counters.category_name),
    counters.order_cnt,
    count(*)
from batch_guests as guest
inner join cdm.user_category_counters as counters on guest.h_user_pk = counters.user_id
group by counters.category_id, counters.order_cnt;
