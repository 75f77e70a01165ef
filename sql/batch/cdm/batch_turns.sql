-- Temporary: who gets or loses a tag in this run, with the evidence and the reason, the first that fits. retired: no rule is in force.
-- rule: it has changed, and the version before would leave things as they were. time: the last moment of the fold is one at which an
-- order stopped counting. orders: one was closed or cancelled, or an order that gave the tag is another guest's, without the dish, or
-- no longer closed. correction: none of these, so a menu. Of a tag that is lost the evidence is that against: the rule now in force,
-- or, where there is none, the one that gave the tag.
-- From: batch_tags, batch_rules, batch_judged, batch_folds, batch_intervals, batch_clock, cdm.user_tags, cdm.tag_rules,
-- cdm.tag_events, cdm.user_category_counters, dds.h_category, dds.es_order_user, dds.s_order_status, dds.es_order_product,
-- dds.es_product_category
-- Grain: user_id, tag
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_turns (
    user_id uuid,
    tag varchar,
    event varchar,
    category_name varchar,
    order_cnt integer,
    threshold integer,
    rule_version integer,
    window_days integer,
    exit_threshold integer,
    reason varchar,
    effective_dt timestamptz,
    order_ids bigint[],
    trigger_order_id bigint,
    compensates bigint
) on commit drop;

insert into batch_turns
with turned as materialized (
    select
        verdict.user_id,
        verdict.tag,
        verdict.order_cnt,
        carried.user_id is not null as was_on,
        coalesce(rule.version, carried.rule_version) as rule_version,
        coalesce(rule.category_name, carried.category_name) as category_name,
        coalesce(rule.threshold, carried.threshold) as threshold,
        case when rule.tag is null then carried.window_days else rule.window_days end as window_days,
        case when rule.tag is null then carried.exit_threshold else rule.exit_threshold end as exit_threshold,
        rule.tag is null as is_retired,
        (changed.tag is not null and changed.version_before is distinct from rule.version) as is_changed,
        now.rule_id as now_id,
        before.rule_id as before_id
    from batch_tags as verdict
    left join cdm.user_tags as carried
        on
            verdict.user_id = carried.user_id
            and verdict.tag = carried.tag
    left join cdm.tag_rules as rule
        on
            verdict.tag = rule.tag
            and rule.active
    left join batch_rules as changed on verdict.tag = changed.tag
    left join batch_judged as now
        on
            verdict.tag = now.tag
            and now.is_now
    left join batch_judged as before
        on
            verdict.tag = before.tag
            and not before.is_now
    where (verdict.rule_version is not null) <> (carried.user_id is not null)
),

-- The event that a loss ends.
told as (
    select
        turned.user_id,
        turned.tag,
        newest.id,
        newest.effective_dt,
        newest.order_ids
    from turned
    cross join lateral (
        select
            events.id,
            events.effective_dt,
            events.order_ids
        from cdm.tag_events as events
        where
            events.user_id = turned.user_id
            and events.tag = turned.tag
        order by events.id desc
        limit 1
    ) as newest
    where turned.was_on
),

counting as (
    select
        turned.user_id,
        turned.tag,
        (array_agg(intervals.order_id order by intervals.from_dt desc, intervals.order_id desc))[1:100] as order_ids
    from turned
    inner join batch_judged as rule on coalesce(turned.now_id, turned.before_id) = rule.rule_id
    inner join batch_intervals as intervals
        on
            turned.user_id = intervals.user_id
            and rule.category_id = intervals.category_id
    where
        intervals.from_dt <= rule.as_of
        and coalesce(
            least(intervals.to_dt, intervals.from_dt + rule.window_days * interval '24 hours') > rule.as_of,
            true
        )
        -- Of plain rules, as the counters do: also what is closed from a time to come on.
        and (rule.as_of <> 'infinity' or intervals.to_dt is null)
    group by turned.user_id, turned.tag
),

-- How many orders count for them of all time.
counted as materialized (
    select
        turned.user_id,
        turned.tag,
        counters.order_cnt
    from turned
    inner join dds.h_category as category on turned.category_name = category.category_name
    inner join cdm.user_category_counters as counters
        on
            turned.user_id = counters.user_id
            and category.h_category_pk = counters.category_id
),

reasoned as materialized (
    select
        turned.*,
        told.id as told_id,
        told.effective_dt as told_dt,
        told.order_ids as told_ids,
        fold.order_cnt as folded_cnt,
        fold.moved_dt,
        case
            when not turned.was_on then fold.closed_order
            else coalesce(fold.cancelled_order, fold.expired_order)
        end as moved_by,
        case
            when turned.is_retired then 'retired'
            when turned.is_changed and coalesce(before.is_on, false) = turned.was_on then 'rule'
            when not turned.was_on then 'orders'
            when coalesce(fold.is_on, true) or fold.moved_dt <= told.effective_dt then null
            when fold.cancelled_order is null and fold.expired_order is not null then 'time'
            when fold.moved_dt is not null then 'orders'
        end as reason
    from turned
    left join told
        on
            turned.user_id = told.user_id
            and turned.tag = told.tag
    left join batch_folds as fold
        on
            turned.user_id = fold.user_id
            and coalesce(turned.now_id, turned.before_id) = fold.rule_id
    left join batch_folds as before
        on
            turned.user_id = before.user_id
            and turned.before_id = before.rule_id
),

-- The orders that gave a tag which the guest, as the fold of today says, never had.
given as materialized (
    select
        reasoned.user_id,
        reasoned.tag,
        reasoned.told_dt,
        rule.category_id,
        evidence.order_id,
        dds.hash_key(evidence.order_id::text) as h_order_pk
    from reasoned
    inner join batch_judged as rule on reasoned.now_id = rule.rule_id
    cross join lateral unnest(reasoned.told_ids) as evidence (order_id)
    where reasoned.reason is null
),

given_owners as materialized (
    select distinct on (owner.h_order_pk)
        owner.h_order_pk,
        owner.h_user_pk,
        owner.effective_dttm
    from given
    inner join dds.es_order_user as owner on given.h_order_pk = owner.h_order_pk
    order by owner.h_order_pk asc, owner.effective_dttm desc, owner.sent_dttm desc, owner.value_hash desc
),

given_statuses as materialized (
    select distinct on (status.h_order_pk)
        status.h_order_pk,
        status.status,
        status.effective_dttm
    from given
    inner join dds.s_order_status as status on given.h_order_pk = status.h_order_pk
    order by status.h_order_pk asc, status.effective_dttm desc, status.sent_dttm desc, status.value_hash desc
),

given_lines as materialized (
    select distinct on (held.h_order_pk, held.h_product_pk)
        held.h_order_pk,
        held.h_product_pk,
        held.is_active,
        held.effective_dttm
    from given
    inner join dds.es_order_product as held on given.h_order_pk = held.h_order_pk
    order by
        held.h_order_pk asc,
        held.h_product_pk asc,
        held.effective_dttm desc,
        held.sent_dttm desc,
        held.value_hash desc
),

-- When each of them lost its last dish of a category.
given_up as (
    select
        line.h_order_pk,
        category.h_category_pk,
        max(line.effective_dttm) as effective_dttm
    from given_lines as line
    cross join lateral (
        select es.h_category_pk
        from dds.es_product_category as es
        where es.h_product_pk = line.h_product_pk
        order by es.effective_dttm desc, es.restaurant_id desc, es.value_hash desc
        limit 1
    ) as category
    where not line.is_active
    group by line.h_order_pk, category.h_category_pk
),

-- Which of them are still the guest's, and whether they still count as of when the tag was given.
given_closed as (
    select
        given.user_id,
        given.tag,
        given.order_id,
        bool_or(intervals.from_dt <= given.told_dt and coalesce(intervals.to_dt > given.told_dt, true)) as counts_as_told
    from given
    inner join batch_intervals as intervals
        on
            given.user_id = intervals.user_id
            and given.category_id = intervals.category_id
            and given.order_id = intervals.order_id
    group by given.user_id, given.tag, given.order_id
),

-- Which of them was changed, and when, last.
undone as (
    select distinct on (given.user_id, given.tag)
        given.user_id,
        given.tag,
        given.order_id,
        change.at_dt
    from given
    inner join given_owners as owner on given.h_order_pk = owner.h_order_pk
    inner join given_statuses as status on given.h_order_pk = status.h_order_pk
    left join given_up as basket
        on
            given.h_order_pk = basket.h_order_pk
            and given.category_id = basket.h_category_pk
    left join given_closed as closed
        on
            given.user_id = closed.user_id
            and given.tag = closed.tag
            and given.order_id = closed.order_id
    cross join lateral (
        select
            case
                when owner.h_user_pk <> given.user_id then owner.effective_dttm
                when status.status <> 'CLOSED' then status.effective_dttm
                when basket.effective_dttm is not null then basket.effective_dttm
                when closed.order_id is not null then status.effective_dttm
            end as at_dt
    ) as change
    where
        change.at_dt is not null
        and closed.counts_as_told is not true
    order by given.user_id asc, given.tag asc, change.at_dt desc, given.order_id desc
)

select
    reasoned.user_id,
    reasoned.tag,
    case when reasoned.was_on then 'revoked' else 'assigned' end,
    reasoned.category_name,
    case
        when not reasoned.was_on then reasoned.order_cnt
        when num_nonnulls(reasoned.window_days, reasoned.exit_threshold) > 0 then coalesce(reasoned.folded_cnt, 0)
        else coalesce(counted.order_cnt, 0)
    end,
    reasoned.threshold,
    reasoned.rule_version,
    reasoned.window_days,
    reasoned.exit_threshold,
    coalesce(reasoned.reason, case when undone.order_id is null then 'correction' else 'orders' end),
    case
        when reasoned.reason in ('orders', 'time') then coalesce(reasoned.moved_dt, clock.as_of)
        else coalesce(undone.at_dt, clock.as_of)
    end,
    coalesce(counting.order_ids, '{}'),
    case when reasoned.reason in ('orders', 'time') then reasoned.moved_by else undone.order_id end,
    case
        when reasoned.was_on and coalesce(reasoned.reason, 'correction') in ('rule', 'retired', 'correction') and undone.order_id is null
            then reasoned.told_id
    end
from reasoned
cross join batch_clock as clock
left join counting
    on
        reasoned.user_id = counting.user_id
        and reasoned.tag = counting.tag
left join undone
    on
        reasoned.user_id = undone.user_id
        and reasoned.tag = undone.tag
left join counted
    on
        reasoned.user_id = counted.user_id
        and reasoned.tag = counted.tag;

analyze batch_turns;
