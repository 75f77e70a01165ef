-- One row = a message that STG has stored, accepted or refused, to the letter.
-- From: stg.order_event_log, stg.dead_letters
-- Params: topic
select
    value_hash,
    null as message_key,
    convert_to(value::text, 'UTF8') as value
from stg.order_event_log
union all
select
    value_hash,
    message_key,
    raw as value
from stg.dead_letters
where
    topic = %(topic)s
    and solved_dt is null
    and reason <> 'unreadable_batch';
