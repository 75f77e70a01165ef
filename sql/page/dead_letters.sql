-- One row = a reason for which messages of a topic were refused.
-- From: cdm.v_dead_letters
-- Params: none
select
    topic,
    reason,
    unsolved,
    solved,
    first_dt,
    last_dt
from cdm.v_dead_letters
order by unsolved desc, topic asc, reason asc;
