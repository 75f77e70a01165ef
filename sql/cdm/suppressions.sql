-- One row = who must not go to a channel, as a file has said. A phone or an e-mail becomes identifiers: what it is hashed to in each
-- form that a channel may want.
-- From: incoming_suppressions
-- Grain: kind, value, channel, since
-- Rerun: adds nothing
-- Params: made_by, made_dt
insert into cdm.suppressions (kind, value, channel, reason, since, until, made_by, made_dt)
select
    told.kind,
    told.value,
    incoming.channel,
    incoming.reason,
    incoming.since,
    incoming.until,
    %(made_by)s,
    %(made_dt)s::timestamptz
from incoming_suppressions as incoming
cross join lateral (
    select
        incoming.kind,
        incoming.value
    where incoming.kind in ('guest', 'identifier')

    union

    select
        'identifier',
        encode(sha256(convert_to(plain.text, 'UTF8')), 'hex')
    from (
        values
        ('phone', cdm.phone_digits(incoming.value)),
        ('phone', '+' || cdm.phone_digits(incoming.value)),
        ('email', cdm.email_plain(incoming.value, false)),
        ('email', cdm.email_plain(incoming.value, true))
    ) as plain (kind, text)
    where
        plain.kind = incoming.kind
        and trim(plain.text, '+') <> ''

    union

    select
        'identifier',
        md5(cdm.phone_digits(incoming.value))
    where
        incoming.kind = 'phone'
        and cdm.phone_digits(incoming.value) <> ''
) as told (kind, value)
on conflict (kind, value, channel, since) do nothing;
