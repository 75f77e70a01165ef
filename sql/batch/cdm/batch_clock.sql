-- Temporary: the moment as of which this transaction judges: that before which all that was sent is stored, as the last drain found it.
-- What is stored and waits for the vault holds it where it was: an order that it has yet to load may keep a guest in. Never back.
-- From: cdm.tag_clock, stg.load_queue, stg.drain_ends
-- Grain: one row
-- Rerun: dropped at the end of the transaction
-- Params: load_dt, as_of (NULL: now)
create temporary table batch_clock (
    as_of timestamptz
) on commit drop;

insert into batch_clock (as_of)
select
    greatest(
        clock.as_of,
        case
            when %(as_of)s::timestamptz is not null then %(as_of)s::timestamptz
            when clock.as_of is not null and exists (select 1 from stg.load_queue) then clock.as_of
            else coalesce((select max(ends.as_of) from stg.drain_ends as ends), %(load_dt)s::timestamptz)
        end
    )
from (select max(as_of) as as_of from cdm.tag_clock) as clock;

analyze batch_clock;
