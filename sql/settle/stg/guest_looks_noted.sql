-- Writes down that somebody looks at what the warehouse knows of a guest. By a function: nobody but the owner may touch the table.
-- Rerun: writes it once more: they have looked again
-- Params: guest_id, looked_by, tag (NULL: all)
select stg.note_look(%(guest_id)s::text, %(looked_by)s::text, %(tag)s::text);
