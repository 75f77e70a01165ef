-- One row = a message that is refused now. Without a stretch of the log that can't be read: that is no message.
-- From: stg.dead_letters
-- Params: topic
select
    value_hash,
    message_key,
    reason
from stg.dead_letters
where
    topic = %(topic)s
    and solved_dt is null
    and reason <> 'unreadable_batch';
