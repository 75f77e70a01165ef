-- One row = a guest, known as soon as an order or a document names them.
-- From: batch_orders, batch_references
-- Grain: user_id
-- Rerun: adds no row
-- Params: load_dt
insert into dds.h_user (h_user_pk, user_id, load_dt, load_src)
select distinct on (named.h_user_pk)
    named.h_user_pk,
    named.user_id,
    %(load_dt)s::timestamptz,
    named.load_src
from (
    select distinct
        h_user_pk,
        user_id,
        load_src
    from batch_orders
    union all
    select
        object_pk,
        object_id,
        'redis'
    from batch_references
    where object_type = 'user'
) as named
-- Asked for, too, and not left to the key: a first load has none.
where not exists (
    select 1
    from dds.h_user as stored
    where stored.h_user_pk = named.h_user_pk
)
order by named.h_user_pk asc, named.load_src asc
on conflict do nothing;
