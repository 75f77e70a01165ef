-- One row = a change of a restaurant's name, by business time.
-- From: batch_references
-- Grain: h_restaurant_pk, a version that differs from the one before it
-- Rerun: adds no row
-- Params: load_dt
insert into dds.s_restaurant_names (
    hk_restaurant_names_pk,
    h_restaurant_pk,
    name,
    effective_dttm,
    value_hash,
    load_dt,
    load_src
)
select
    dds.hash_key(object_pk::text, value_hash::text),
    object_pk,
    name,
    update_ts,
    value_hash,
    %(load_dt)s::timestamptz,
    'redis'
from (
    select
        *,
        row_number() over timeline as version,
        lag(name) over timeline as name_before
    from batch_references
    where object_type = 'restaurant'
    window timeline as (
        partition by object_pk
        order by update_ts asc, value_hash asc
    )
) as versions
where
    not is_before
    and (version = 1 or name is distinct from name_before)
on conflict do nothing;
