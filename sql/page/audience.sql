-- One row = the audience of a tag at the end of a UTC day.
-- From: cdm.v_audience_daily
-- Params: days (back from today, today included)
select
    day,
    tag,
    assigned,
    revoked,
    guests
from cdm.v_audience_daily
where day > (now() at time zone 'UTC')::date - %(days)s::int
order by day asc, tag asc;
