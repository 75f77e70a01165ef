-- Temporary: the tags whose rule has changed and which this transaction judges anew for all guests.
-- From: cdm.rule_queue
-- Grain: tag
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: none
create temporary table batch_rules (
    tag varchar primary key
) on commit drop;

with claimed as (
    delete from cdm.rule_queue
    returning tag
)

insert into batch_rules (tag)
select distinct tag
from claimed;
