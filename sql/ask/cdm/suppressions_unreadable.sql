-- The lines of a file whose phone is no phone, or whose e-mail is none.
-- From: incoming_suppressions
-- Grain: line
-- Rerun: reads only
-- Params: none
select
    line,
    kind
from incoming_suppressions
where
    (kind = 'phone' and coalesce(cdm.phone_digits(value), '') = '')
    or (kind = 'email' and coalesce(cdm.email_plain(value, false), '') = '')
order by line;
