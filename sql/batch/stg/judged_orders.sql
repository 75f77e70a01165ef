-- One row = a message of the log of which the rules of today say something else than the log does. Empties the chunk's table.
-- From: incoming_orders, stg.order_event_log
-- Grain: value_hash
-- Rerun: a message is judged once in a transaction
-- Params: gone_hashes (those of the chunk that are not accepted by now)
analyze incoming_orders;

insert into stg.judged_orders
select *  -- noqa: AM04
from stg.read_otherwise('incoming_orders', 'stg.order_event_log', null::stg.judged_orders);

insert into stg.judged_orders (value_hash, is_accepted)
select
    gone.value_hash,
    false
from unnest(%(gone_hashes)s::uuid[]) as gone (value_hash);

truncate incoming_orders;
