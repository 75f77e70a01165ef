create or replace view cdm.v_freshness with (security_barrier) as
select
    (select load_dt from stg.order_events order by id desc limit 1) as last_order_dt,
    (select event_dt from cdm.tag_events order by id desc limit 1) as last_tag_event_dt,
    messages.waiting as messages_waiting,
    messages.waiting_since as messages_waiting_since,
    guests.waiting as guests_waiting,
    guests.waiting_since as guests_waiting_since,
    rules.waiting as rules_waiting,
    letters.unsolved as dead_letters,
    greatest(
        extract(
            epoch from
            now() - least(messages.waiting_since, guests.waiting_since, rules.waiting_since, ends.checked_dt)
        ),
        0
    )::double precision as lag_s,
    ends.checked_dt,
    ends.as_of as judged_dt,
    kafka.waiting as kafka_lag
from (
    select count(*) as waiting, min(load_dt) as waiting_since
    from stg.load_queue
) as messages
cross join (
    select count(distinct h_user_pk) as waiting, min(load_dt) as waiting_since
    from dds.counter_queue
) as guests
cross join (
    select count(*) as waiting, min(changed.changed_dt) as waiting_since
    from (
        select queue.tag, max(rule.changed_dt) as changed_dt
        from cdm.rule_queue as queue
        left join cdm.tag_rules as rule on queue.tag = rule.tag
        group by queue.tag
    ) as changed
) as rules
cross join (
    select count(*) as unsolved
    from stg.dead_letters
    where solved_dt is null
) as letters
cross join (
    select max(checked_dt) as checked_dt, max(as_of) as as_of
    from stg.drain_ends
) as ends
cross join (
    select sum(end_offset - next_offset)::bigint as waiting
    from stg.drain_progress
    where reader = 'orders'
) as kafka;
comment on column cdm.v_freshness.lag_s is 'Seconds for which the oldest thing has waited, or since the last drain that reached the end, whichever is more';
comment on column cdm.v_freshness.checked_dt is 'When a run last had everything that Kafka held, also where nothing was new; NULL = none ever had';
comment on column cdm.v_freshness.judged_dt is 'What was sent before this moment is stored; what waits stands beside it';
comment on column cdm.v_freshness.kafka_lag is 'Messages that the last drain left in Kafka; NULL = none ever looked';
