-- Temporary: the tags whose rule has changed and which this transaction judges anew for all guests, and the version that was in force
-- before the first of the changes (NULL: none was).
-- From: cdm.rule_queue
-- Grain: tag
-- Rerun: dropped at the end of the transaction; a transaction that fails gives back what it took
-- Params: none
create temporary table batch_rules (
    tag varchar primary key,
    version_before integer
) on commit drop;

with claimed as (
    delete from cdm.rule_queue
    returning id, tag, version_before
)

insert into batch_rules (tag, version_before)
select
    tag,
    (array_agg(version_before order by id asc))[1]
from claimed
group by tag;
