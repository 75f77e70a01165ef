alter table stg.dead_letters add column tried_by text;
comment on column stg.dead_letters.tried_by is 'The run that tried it last; NULL while none has';

create sequence stg.reference_rounds cache 1;
comment on sequence stg.reference_rounds is 'Numbers the runs that read reference data, where not each of them asks for every restaurant';
grant usage on sequence stg.reference_rounds to dwh_etl;
