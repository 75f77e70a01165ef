-- Law cdm.rule_queue.age: no rule waits to be applied longer than it may.
-- Over: all
-- Params: queued_before
select
    queue.tag,
    max(rule.changed_dt) as waiting_since
from cdm.rule_queue as queue
inner join cdm.tag_rules as rule on queue.tag = rule.tag
group by queue.tag
having max(rule.changed_dt) < %(queued_before)s::timestamptz;
