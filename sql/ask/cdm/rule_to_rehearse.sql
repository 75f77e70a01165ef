-- The rule of a tag that a rehearsal takes: its draft, else the one in force.
-- From: cdm.tag_rules
-- Grain: one row, or none
-- Rerun: reads only
-- Params: tag
select
    category_name,
    threshold,
    window_days,
    exit_threshold
from cdm.tag_rules
where
    tag = %(tag)s::varchar
    and status in ('draft', 'active')
order by status desc
limit 1;
