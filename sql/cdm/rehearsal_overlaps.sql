-- One row = a rehearsal and another tag that guests carry now.
-- From: cdm.rehearsals, batch_folds, cdm.user_tags
-- Grain: rehearsal_id, tag
-- Rerun: adds the rows of another rehearsal
-- Params: load_dt
insert into cdm.rehearsal_overlaps (rehearsal_id, tag, both_have, only_draft, only_tag)
select
    made.id,
    tags.tag,
    count(folds.user_id),
    made.guests - count(folds.user_id),
    count(*) - count(folds.user_id)
from cdm.rehearsals as made
inner join cdm.user_tags as tags on made.tag <> tags.tag
left join batch_folds as folds
    on
        tags.user_id = folds.user_id
        and folds.is_on
where made.made_dt = %(load_dt)s::timestamptz
group by made.id, made.guests, tags.tag;
