-- One row = a category, known as soon as a menu names it.
-- From: batch_menus
-- Grain: category_name
-- Rerun: adds no row
-- Params: load_dt
insert into dds.h_category (h_category_pk, category_name, load_dt, load_src)
select
    dds.hash_key(named.category_name),
    named.category_name,
    %(load_dt)s::timestamptz,
    'redis'
from (
    select distinct category_name
    from batch_menus
    where category_name is not null
) as named
on conflict do nothing;
