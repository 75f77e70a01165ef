-- Law cdm.rehearsal_overlaps: who would carry the rehearsed tag carries the other one or does not; and somebody carries that.
-- Over: all, once a round
-- Params: none
select
    overlap.rehearsal_id,
    overlap.tag,
    overlap.both_have,
    overlap.only_draft,
    overlap.only_tag,
    made.guests
from cdm.rehearsal_overlaps as overlap
inner join cdm.rehearsals as made on overlap.rehearsal_id = made.id
where
    overlap.both_have + overlap.only_draft <> made.guests
    or overlap.both_have + overlap.only_tag = 0
    or least(overlap.both_have, overlap.only_draft, overlap.only_tag) < 0;
