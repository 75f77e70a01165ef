-- A rehearsal says by which facts it was made, so that a law can hold it to the tags.
alter table cdm.tag_clock add column load_dt timestamptz;
comment on column cdm.tag_clock.load_dt is
'When guests were judged anew last, because of orders, menus or time; NULL: not since this column is there. A rule alone leaves it';

alter table cdm.rehearsals
add column rule_version integer,
add column facts_dt timestamptz;
comment on column cdm.rehearsals.rule_version is
'Version of the tag''s rule that was in force then; NULL: none was, or nobody has kept it';
comment on column cdm.rehearsals.facts_dt is
'cdm.tag_clock.load_dt of then (-infinity: it was NULL), where the tags stood as of as_of and nothing waited; else NULL';

-- How many orders of a guest count for a timed rule was asked by joins, for which all versions of all orders were read for each guest.
create or replace view cdm.v_guest_progress with (security_barrier) as
select
    counted.guest_id,
    counted.category_name,
    counted.order_cnt,
    counted.tag,
    counted.threshold,
    counted.carries_tag,
    case
        when counted.carries_tag then 0
        when counted.tag is not null then greatest(counted.threshold - counted.order_cnt + 1, 0)
    end as orders_missing,
    counted.window_days,
    counted.exit_threshold,
    counted.leaves_dt,
    counted.closed_cnt
from (
    select
        hub.user_id as guest_id,
        counters.category_name,
        case
            when carried.tag is not null then carried.order_cnt
            when rule.is_timed then (
                select count(*)::integer
                from (
                    select distinct ever.h_order_pk
                    from dds.es_order_user as ever
                    where ever.h_user_pk = counters.user_id
                ) as owned
                -- Each a question of its own, so that no join reads the tables whole for a guest.
                where
                    counters.user_id = (
                        select owner.h_user_pk
                        from dds.es_order_user as owner
                        where owner.h_order_pk = owned.h_order_pk
                        order by owner.effective_dttm desc, owner.sent_dttm desc, owner.value_hash desc
                        limit 1
                    )
                    and (
                        select bool_or(
                            closed.from_dt <= rule.as_of
                            and coalesce(
                                least(closed.to_dt, closed.from_dt + rule.window_days * interval '24 hours') > rule.as_of, true
                            )
                        )
                        from dds.closed_intervals as closed
                        where closed.h_order_pk = owned.h_order_pk
                    )
                    and (
                        select bool_or(
                            held.is_active
                            and counters.category_id = (
                                select es.h_category_pk
                                from dds.es_product_category as es
                                where es.h_product_pk = held.h_product_pk
                                order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
                                limit 1
                            )
                        )
                        from (
                            select distinct on (line.h_product_pk)
                                line.h_product_pk,
                                line.is_active
                            from dds.es_order_product as line
                            where line.h_order_pk = owned.h_order_pk
                            order by line.h_product_pk asc, line.effective_dttm desc, line.sent_dttm desc, line.value_hash desc
                        ) as held
                    )
            )
            else counters.order_cnt
        end as order_cnt,
        rule.tag,
        rule.threshold,
        carried.tag is not null as carries_tag,
        rule.window_days,
        rule.exit_threshold,
        carried.leaves_dt,
        counters.order_cnt as closed_cnt
    from cdm.user_category_counters as counters
    inner join dds.h_user as hub on counters.user_id = hub.h_user_pk
    left join (
        select
            rules.tag,
            rules.threshold,
            rules.window_days,
            rules.exit_threshold,
            num_nonnulls(rules.window_days, rules.exit_threshold) > 0 as is_timed,
            (select max(clock.as_of) from cdm.tag_clock as clock) as as_of,
            category.h_category_pk
        from cdm.tag_rules as rules
        inner join dds.h_category as category on rules.category_name = category.category_name
        where rules.active
    ) as rule on counters.category_id = rule.h_category_pk
    left join cdm.user_tags as carried
        on
            counters.user_id = carried.user_id
            and rule.tag = carried.tag
) as counted;
comment on column cdm.v_guest_progress.closed_cnt is
'The guest''s CLOSED orders of the category, of all time: no more than so many count for any rule';
