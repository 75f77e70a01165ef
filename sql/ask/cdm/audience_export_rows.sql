-- The lines of a file.
-- From: cdm.audience_export_rows
-- Grain: identifier
-- Rerun: reads only
-- Params: audience, seq, op
select identifier
from cdm.audience_export_rows
where
    audience = %(audience)s
    and seq = %(seq)s
    and op = %(op)s
order by identifier collate "C";
