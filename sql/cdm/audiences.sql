-- One row = an audience of config/audiences.yaml, as it stands there. Its trigger refuses what the first export has locked.
-- Grain: audience
-- Rerun: changes nothing
-- Params: written (the columns, as JSON)
insert into cdm.audiences as stored
select *  -- noqa: AM04
from jsonb_populate_record(null::cdm.audiences, %(written)s::jsonb)
on conflict (audience) do update set
    channel = excluded.channel,
    include_tags = excluded.include_tags,
    exclude_tags = excluded.exclude_tags,
    identifier = excluded.identifier,
    format = excluded.format,
    control_percent = excluded.control_percent,
    salt = excluded.salt,
    requires_consent = excluded.requires_consent,
    min_rows = excluded.min_rows,
    max_change_percent = excluded.max_change_percent,
    status = excluded.status
where stored.* is distinct from excluded.*;
