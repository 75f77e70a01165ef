-- One row = how old the last good dump and test restore are.
-- From: cdm.v_backups
-- Rerun: reads only
-- Params: none
select
    dump_dt,
    dump_age_s,
    dump_failure,
    restore_dt,
    restore_age_s,
    restore_failure
from cdm.v_backups;
