-- The draft of a tag is thrown away: it judged nobody, so nothing else changes. Its versions stay in the history.
-- Rerun: changes nothing
-- Params: tag
delete from cdm.tag_rules
where
    tag = %(tag)s::varchar
    and status = 'draft';
