-- Law stg.withdrawn.age: what somebody has withdrawn counts for nothing within the time that a rebuild of STG may wait.
-- Over: all
-- Params: queued_before
select
    known.value_hash,
    known.why,
    known.withdrawn_by,
    known.withdrawn_dt
from stg.withdrawn as known
where
    known.withdrawn_dt < %(queued_before)s::timestamptz
    and (
        exists (
            select 1
            from stg.order_event_log as log
            where log.value_hash = known.value_hash
        )
        or exists (
            select 1
            from stg.reference_log as log
            where log.value_hash = known.value_hash
        )
    );
