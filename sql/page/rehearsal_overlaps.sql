-- One row = a tag that guests of a rehearsal have, too.
-- From: cdm.v_rehearsal_overlaps
-- Params: rehearsal_id
select
    tag,
    both_have,
    only_draft,
    only_tag
from cdm.v_rehearsal_overlaps
where rehearsal_id = %(rehearsal_id)s
order by both_have desc, tag asc;
