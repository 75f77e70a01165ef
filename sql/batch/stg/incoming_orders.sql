-- Temporary: the order messages of one chunk, as the drain copies them in: rows of the log, with its columns in its order.
-- Grain: a message of Kafka; the same content may stand in it twice
-- Rerun: dropped at the end of the transaction
-- Params: load_dt
create temporary table incoming_orders on commit drop as
select *  -- noqa: AM04
from stg.order_event_log
with no data;

alter table incoming_orders alter column load_dt set default %(load_dt)s::timestamptz;
