-- A dead letter is solved by its content being accepted, also when it comes by Kafka again under wider rules.
-- From: incoming_orders
-- Grain: value_hash
-- Rerun: changes nothing; what is solved stays solved
-- Params: load_dt
update stg.dead_letters as stored
set solved_dt = %(load_dt)s::timestamptz
from incoming_orders as accepted
where
    stored.value_hash = accepted.value_hash
    and stored.solved_dt is null;
