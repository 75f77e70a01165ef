-- Temporary: the reference documents of one run that the warehouse has not seen yet: rows of the log, with its columns in its order.
-- Grain: a document of Redis
-- Rerun: dropped at the end of the transaction
-- Params: load_dt
create temporary table incoming_references on commit drop as
select *  -- noqa: AM04
from stg.reference_log
with no data;

alter table incoming_references alter column load_dt set default %(load_dt)s::timestamptz;
