-- A rehearsal says by which facts it was made, so that a law can hold it to the tags.
alter table cdm.tag_clock add column load_dt timestamptz;
comment on column cdm.tag_clock.load_dt is
'When guests were judged anew last, because of orders, menus or time; NULL: not since this column is there. A rule alone leaves it';

alter table cdm.rehearsals
add column rule_version integer,
add column facts_dt timestamptz;
comment on column cdm.rehearsals.rule_version is
'Version of the tag''s rule that was in force then; NULL: none was, or nobody has kept it';
comment on column cdm.rehearsals.facts_dt is
'cdm.tag_clock.load_dt of then (-infinity: it was NULL), where the tags stood as of as_of and nothing waited; else NULL';
