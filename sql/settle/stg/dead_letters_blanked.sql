-- What a dead letter holds goes when it has been solved for long enough: then its content stands in a log of STG. That it was there, where
-- from and why it was refused stays, and so does the id that a document of Redis was sought by: erasure finds the letter by it.
-- Rerun: changes nothing
-- Params: solved_before
update stg.dead_letters
set
    raw = null,
    message_key = case when topic = 'redis' then message_key end,
    detail = ''
where
    solved_dt < %(solved_before)s::timestamptz
    and (raw is not null or (topic <> 'redis' and (message_key is not null or detail <> '')));
