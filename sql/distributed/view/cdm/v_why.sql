-- One row = a guest, a tag in force, an order that is or was theirs: does it count, and if not, why. To be filtered by guest_id: the
-- guests' ids go to where the orders lie, and all that is asked of an order is asked there.
-- From: dds.h_user, dds.es_order_user, dds.h_order, dds.s_order_status, dds.es_order_product, dds.es_product_category, cdm.tag_rules
-- Rerun: harmless
-- Params: none
create or replace view cdm.v_why with (security_barrier) as
select
    told.guest_id,
    told.tag,
    told.order_id,
    told.status,
    told.closed_dt,
    told.why_not is null as counts,
    told.why_not,
    case when told.why_not is null then told.closed_dt + told.window_length end as leaves_dt
from (
    select
        stands.guest_id,
        stands.tag,
        stands.order_id,
        coalesce(stands.then_status, stands.now_status) as status,
        stands.closed_dt,
        stands.window_length,
        case
            when not stands.is_owner then 'other_guest_now'
            when stands.then_status is distinct from 'CLOSED' and stands.now_status = 'CLOSED' then 'dated_ahead'
            when stands.then_status is distinct from 'CLOSED' then 'not_closed'
            when not stands.holds and stands.lacks then 'dish_without_category'
            when not stands.holds then 'no_dish_of_category'
            when stands.closed_dt + stands.window_length <= stands.as_of then 'outside_window'
        end as why_not
    from (
        select
            hub.user_id as guest_id,
            rule.tag,
            rule.window_length,
            rule.as_of,
            orders.order_id,
            owner.h_user_pk = hub.h_user_pk as is_owner,
            history.statuses[cardinality(history.statuses)] as now_status,
            -- The last that began by then.
            history.statuses[width_bucket(rule.as_of, history.begun)] as then_status,
            spans.begun[width_bucket(rule.as_of, spans.begun)] as closed_dt,
            coalesce(rule.h_category_pk = any(basket.categories), false) as holds,
            coalesce(basket.lacks, false) as lacks
        from dds.es_order_user as owned
        inner join dds.h_order as orders on owned.h_order_pk = orders.h_order_pk
        inner join (
            select
                guests.h_user_pk,
                guests.user_id
            from dds.h_user as guests
        ) as hub on owned.h_user_pk = hub.h_user_pk
        cross join (
            select
                rules.tag,
                category.h_category_pk,
                rules.window_days * interval '24 hours' as window_length,
                case
                    when num_nonnulls(rules.window_days, rules.exit_threshold) > 0
                        then coalesce(clock.as_of, 'infinity')
                    else 'infinity'
                end as as_of
            from cdm.tag_rules as rules
            inner join dds.h_category as category on rules.category_name = category.category_name
            left join cdm.tag_clock as clock on true
            where rules.active
        ) as rule
        cross join lateral (
            select latest.h_user_pk
            from dds.es_order_user as latest
            where latest.h_order_pk = owned.h_order_pk
            order by latest.effective_dttm desc, latest.sent_dttm desc, latest.value_hash desc
            limit 1
        ) as owner
        cross join lateral (
            select
                array_agg(version.status order by version.effective_dttm asc, version.sent_dttm asc, version.value_hash asc) as statuses,
                array_agg(version.effective_dttm order by version.effective_dttm asc, version.sent_dttm asc, version.value_hash asc) as begun
            from dds.s_order_status as version
            where version.h_order_pk = owned.h_order_pk
            group by version.h_order_pk
        ) as history
        left join lateral (
            select array_agg(closed.from_dt order by closed.from_dt asc) as begun
            from dds.closed_intervals as closed
            where closed.h_order_pk = owned.h_order_pk
            group by closed.h_order_pk
        ) as spans on true
        left join lateral (
            select
                array_agg(dish.h_category_pk) as categories,
                bool_or(dish.h_category_pk is null) as lacks
            from (
                select distinct on (held.h_order_pk, held.h_product_pk)
                    held.h_order_pk,
                    held.h_product_pk,
                    held.is_active
                from dds.es_order_product as held
                where held.h_order_pk = owned.h_order_pk
                order by held.h_order_pk asc, held.h_product_pk asc, held.effective_dttm desc, held.sent_dttm desc, held.value_hash desc
            ) as line
            left join (
                select distinct on (es.h_product_pk)
                    es.h_product_pk,
                    es.h_category_pk
                from dds.es_product_category as es
                order by es.h_product_pk asc, es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
            ) as dish on line.h_product_pk = dish.h_product_pk
            where line.is_active
            group by line.h_order_pk
        ) as basket on true
        where
            -- Once for each order that was ever theirs.
            not exists (
                select 1
                from dds.es_order_user as earlier
                where
                    earlier.h_order_pk = owned.h_order_pk
                    and earlier.h_user_pk = owned.h_user_pk
                    and (earlier.effective_dttm, earlier.sent_dttm, earlier.value_hash)
                    < (owned.effective_dttm, owned.sent_dttm, owned.value_hash)
            )
    ) as stands
) as told;
