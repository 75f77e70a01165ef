-- One row = a tag rule in force.
-- From: cdm.tag_rules
select
    tag,
    category_name,
    threshold,
    window_days,
    exit_threshold
from cdm.tag_rules
where active;
