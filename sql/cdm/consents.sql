-- One row = a consent, as a file has said; one that is there already may have been withdrawn since.
-- From: incoming_consents
-- Grain: guest_id, channel, granted_dt
-- Rerun: changes nothing
-- Params: none
insert into cdm.consents as stored (guest_id, channel, granted_dt, withdrawn_dt, source)
select distinct on (guest_id, channel, granted_dt)
    guest_id,
    channel,
    granted_dt,
    withdrawn_dt,
    source
from incoming_consents
order by guest_id asc, channel asc, granted_dt asc, withdrawn_dt asc nulls last
on conflict (guest_id, channel, granted_dt) do update set
    withdrawn_dt = excluded.withdrawn_dt
where stored.withdrawn_dt is null and excluded.withdrawn_dt is not null;
