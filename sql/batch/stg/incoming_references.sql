-- Temporary: the reference documents of one run that the warehouse has not seen yet.
-- Grain: a document of Redis
-- Rerun: dropped at the end of the transaction
-- Params: none
create temporary table incoming_references (
    value_hash uuid,
    object_type text,
    object_id text,
    update_ts timestamptz,
    name text,
    login text,
    menu_ids text[],
    menu_names text[],
    menu_categories text[],
    value json
) on commit drop;
