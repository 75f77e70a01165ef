-- One row = how many messages a dump holds, as counted when it was made.
-- From: stg.backups
-- Rerun: reads only
-- Params: stamp
select messages
from stg.backups
where
    stamp = %(stamp)s
    and kind = 'dump'
order by id desc
limit 1;
