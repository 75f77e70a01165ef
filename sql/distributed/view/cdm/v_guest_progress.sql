-- One row = a guest, a category and a rule of the category in force: how far the guest is from its tag. To be filtered by guest_id or
-- tag. By a rule with a window or an exit threshold those of all guests are counted each time: they lie with the orders.
-- From: cdm.user_category_counters, dds.h_user, cdm.tag_rules, cdm.user_tags, cdm.v_why
-- Rerun: harmless
-- Params: none
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
            when rule.is_timed then coalesce(lately.order_cnt, 0)
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
            category.h_category_pk
        from cdm.tag_rules as rules
        inner join dds.h_category as category on rules.category_name = category.category_name
        where rules.active
    ) as rule on counters.category_id = rule.h_category_pk
    left join cdm.user_tags as carried
        on
            counters.user_id = carried.user_id
            and rule.tag = carried.tag
    left join (
        select
            why.guest_id,
            why.tag,
            count(*)::integer as order_cnt
        from cdm.v_why as why
        where why.counts
        group by why.guest_id, why.tag
    ) as lately
        on
            hub.user_id = lately.guest_id
            and rule.tag = lately.tag
) as counted;
