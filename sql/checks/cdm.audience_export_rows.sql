-- Law cdm.audience_export_rows: an export adds and removes different identifiers, and removes none that no export before it has added.
-- Over: all, once a round
-- Params: none
select
    lines.audience,
    lines.seq,
    lines.user_id
from cdm.audience_export_rows as lines
where
    lines.op = 'remove'
    and (
        exists (
            select 1
            from cdm.audience_export_rows as same
            where
                same.audience = lines.audience
                and same.seq = lines.seq
                and same.op = 'add'
                and same.identifier = lines.identifier
        )
        or not exists (
            select 1
            from cdm.audience_export_rows as earlier
            where
                earlier.audience = lines.audience
                and earlier.identifier = lines.identifier
                and earlier.op = 'add'
                and earlier.seq < lines.seq
        )
    );
