-- A document of Redis is kept only where it says that it is the one that was asked for: an order may name any key of the app's Redis as
-- its guest. Letters of before that rule lose what another key held: its size and hash stay. What can't be read as JSON says nothing.
do $$
declare
    letter record;
    document json;
    is_its_own boolean;
begin
    for letter in
        select id, raw, message_key
        from stg.dead_letters
        where topic = 'redis' and raw is not null
    loop
        begin
            -- U+0000, for which such a document may have been refused, PostgreSQL does not read.
            document := replace(convert_from(letter.raw, 'UTF8'), '\u0000', '\u0001')::json;
            is_its_own := coalesce(
                json_typeof(document -> '_id') = 'string'
                and document ->> '_id' = convert_from(letter.message_key, 'UTF8'),
                false
            );
        exception
            when data_exception or program_limit_exceeded then
                is_its_own := false;
        end;
        if not is_its_own then
            update stg.dead_letters
            set
                raw = null,
                detail = 'not kept: ' || octet_length(letter.raw) || ' bytes, SHA-256 ' || encode(sha256(letter.raw), 'hex')
            where id = letter.id;
        end if;
    end loop;
end $$;

comment on column stg.dead_letters.raw is
'The value, byte by byte; of one of more than 8 MiB the first 64 KiB. NULL = there is none, or it is not kept: docs/messages.md';
