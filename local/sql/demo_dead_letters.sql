-- One row = a reason and how many messages were refused for it.
-- From: stg.dead_letters
select
    reason,
    count(*) as letters
from stg.dead_letters
where solved_dt is null
group by reason
order by letters desc, reason asc;
