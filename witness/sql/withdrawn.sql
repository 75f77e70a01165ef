-- One row = a content that somebody has withdrawn and that counts for nothing by now (it does until the next marts_rebuild of stg).
-- From: stg.withdrawn, stg.order_event_log
select withdrawn.value_hash
from stg.withdrawn
where not exists (
    select 1
    from stg.order_event_log as log
    where log.value_hash = withdrawn.value_hash
);
