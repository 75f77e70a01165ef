-- Law cdm.rehearsals: who rehearses the rule in force, as of the moment as of which the tags stand and while nothing waits, finds
-- exactly those who carry its tag; without window and exit threshold where no version is dated ahead, which counters count.
-- Over: all
-- Params: none
select
    made.id,
    made.tag,
    made.rule_version,
    made.would_enter,
    made.would_leave
from cdm.rehearsals as made
inner join cdm.tag_rule_versions as known
    on
        made.tag = known.tag
        and made.rule_version = known.version
        and made.category_name = known.category_name
        and made.threshold = known.threshold
        and made.window_days is not distinct from known.window_days
        and made.exit_threshold is not distinct from known.exit_threshold
where
    made.facts_dt is not null
    and (num_nonnulls(made.window_days, made.exit_threshold) > 0 or made.dated_ahead = 0)
    and (made.would_enter, made.would_leave) <> (0, 0);

-- Law cdm.rehearsals.came: a rule that was rehearsed and came into force by the same facts, as of the same moment and as the next of
-- its tag, has given and taken exactly the tags that were foreseen.
-- Over: all
-- Params: none
select
    made.id,
    made.tag,
    rule.version,
    made.would_enter,
    made.would_leave,
    came.assigned,
    came.revoked
from cdm.rehearsals as made
inner join cdm.tag_clock as clock
    on
        made.as_of = clock.as_of
        and made.facts_dt = coalesce(clock.load_dt, '-infinity')
inner join cdm.tag_rules as rule
    on
        made.tag = rule.tag
        and rule.active
        and made.category_name = rule.category_name
        and made.threshold = rule.threshold
        and made.window_days is not distinct from rule.window_days
        and made.exit_threshold is not distinct from rule.exit_threshold
        and made.rule_version is distinct from rule.version
cross join lateral (
    select
        count(*) filter (where events.event = 'assigned') as assigned,
        count(*) filter (where events.event = 'revoked') as revoked
    from cdm.tag_events as events
    where
        events.tag = made.tag
        and events.rule_version = rule.version
) as came
where
    (num_nonnulls(made.window_days, made.exit_threshold) > 0 or made.dated_ahead = 0)
    and (made.would_enter, made.would_leave) <> (came.assigned, came.revoked)
    and 1 = (
        select count(*)
        from cdm.tag_rule_versions as known
        where
            known.tag = made.tag
            and known.status <> 'draft'
            and known.changed_dt > made.made_dt
    )
    and not exists (
        select 1
        from cdm.rule_queue as queue
        where queue.tag = made.tag
    );
