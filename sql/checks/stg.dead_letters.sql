-- Law stg.dead_letters.unreadable: every record batch of Kafka could be read, or somebody has taken note of it (its solved_dt).
-- Over: all
-- Params: none
select
    id,
    topic,
    "partition",
    "offset",
    detail,
    load_dt
from stg.dead_letters
where
    reason = 'unreadable_batch'
    and solved_dt is null;
