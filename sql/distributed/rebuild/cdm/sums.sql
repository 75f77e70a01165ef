-- Before the marts are computed again: sets their sums to what a recount of the marts as they stand gives, so that the load, which
-- works by differences, leaves them right. Rows that are right stay untouched.
-- From: cdm.user_product_counters, cdm.user_category_counters, cdm.tag_events
-- Rerun: changes nothing
-- Params: none
create temporary table batch_counted_product_totals on commit drop as
select
    product_id,
    count(*) as guests,
    sum(order_cnt) as order_cnt
from cdm.user_product_counters
group by product_id;

merge into cdm.product_totals as stored
using (
    select
        coalesce(counted.product_id, known.product_id) as product_id,
        counted.guests,
        counted.order_cnt
    from batch_counted_product_totals as counted
    full join cdm.product_totals as known on counted.product_id = known.product_id
) as recount
on stored.product_id = recount.product_id
when matched and recount.guests is null then delete
when matched
    and (stored.guests, stored.order_cnt) is distinct from (recount.guests, recount.order_cnt)
then update set
    guests = recount.guests,
    order_cnt = recount.order_cnt
when not matched then insert (product_id, guests, order_cnt)
values (recount.product_id, recount.guests, recount.order_cnt);

create temporary table batch_counted_category_histogram on commit drop as
select
    category_id,
    order_cnt,
    max(category_name) as category_name,
    count(*) as guests
from cdm.user_category_counters
group by category_id, order_cnt;

merge into cdm.category_histogram as stored
using (
    select
        coalesce(counted.category_id, known.category_id) as category_id,
        coalesce(counted.order_cnt, known.order_cnt) as order_cnt,
        counted.category_name,
        counted.guests
    from batch_counted_category_histogram as counted
    full join cdm.category_histogram as known
        on
            counted.category_id = known.category_id
            and counted.order_cnt = known.order_cnt
) as recount
on
    stored.category_id = recount.category_id
    and stored.order_cnt = recount.order_cnt
when matched and recount.guests is null then delete
when matched
    and (stored.category_name, stored.guests) is distinct from (recount.category_name, recount.guests)
then update set
    category_name = recount.category_name,
    guests = recount.guests
when not matched then insert (category_id, category_name, order_cnt, guests)
values (recount.category_id, recount.category_name, recount.order_cnt, recount.guests);

merge into cdm.tag_days as stored
using (
    select
        coalesce(counted.tag, known.tag) as tag,
        coalesce(counted.day, known.day) as day,
        counted.assigned,
        counted.revoked
    from (
        select
            tag,
            (event_dt at time zone 'UTC')::date as day,
            count(*) filter (where event = 'assigned') as assigned,
            count(*) filter (where event = 'revoked') as revoked
        from cdm.tag_events
        group by tag, day
    ) as counted
    full join cdm.tag_days as known
        on
            counted.tag = known.tag
            and counted.day = known.day
) as recount
on
    stored.tag = recount.tag
    and stored.day = recount.day
when matched and recount.assigned is null then delete
when matched
    and (stored.assigned, stored.revoked) is distinct from (recount.assigned, recount.revoked)
then update set
    assigned = recount.assigned,
    revoked = recount.revoked
when not matched then insert (tag, day, assigned, revoked)
values (recount.tag, recount.day, recount.assigned, recount.revoked);
