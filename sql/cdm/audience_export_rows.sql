-- One row = a line of a file of the export that is planned.
-- From: batch_plan
-- Grain: audience, seq, op, identifier
-- Rerun: what was planned before is taken back first: audience_exports_dropped.sql
-- Params: audience, seq, parts
insert into cdm.audience_export_rows (audience, seq, op, identifier, user_id)
select
    %(audience)s,
    %(seq)s,
    case part when 'add' then 'add' else 'remove' end,
    identifier,
    user_id
from batch_plan
where part = any(%(parts)s::text[]);
