-- Temporary: the tags whose changed rule waits for a transaction of its own: this one judges nobody by them, nor takes them from anybody,
-- so that what a change of a rule does is told as that.
-- From: cdm.rule_queue
-- Grain: tag
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table batch_waiting (
    tag varchar primary key
) on commit drop;

insert into batch_waiting (tag)
select distinct tag
from cdm.rule_queue;

analyze batch_waiting;
