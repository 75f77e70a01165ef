-- One row = a version of a tag's rule, the newest first.
-- From: cdm.v_rules
-- Params: tag
select
    version,
    status,
    category_name,
    threshold,
    window_days,
    exit_threshold,
    comment,
    changed_by,
    changed_dt
from cdm.v_rules
where tag = %(tag)s
order by version desc
limit 200;
