-- One row = work for the marts: a guest to count anew, or a basket that this batch took from a guest or gave one (ADR 13).
-- Baskets are those of its orders, as they counted before the batch and as they count now, where the two differ. The marts apply
-- each once, so it must not be committed while a load of theirs is between its claim and what it reads of the vault: they are
-- queued under the marts' turn, shared, which is asked for but not waited for.
-- Whole guests: those of its orders, from the version before the first incoming one on, where the marts are at work or the guest
-- is new, as all are in a first load; and those who ever ordered a dish whose name or category has changed. (Who ordered a new
-- dish is among the first, or has a basket.) And those of whom no basket came or went, though an order that was CLOSED at some time
-- has another history now, which rules with a window or an exit threshold fold.
-- From: batch_orders, batch_lines, batch_known_changes, dds.h_user, dds.l_order_product, dds.es_order_user, dds.s_order_status,
-- dds.es_order_product
-- Grain: h_user_pk, which may come twice; of baskets h_order_pk and change
-- Rerun: queues no basket
-- Params: load_dt
insert into dds.counter_queue (h_user_pk, h_order_pk, products, change, load_dt)
with marts as materialized (
    select pg_try_advisory_xact_lock_shared(hashtext('dwh.cdm')) as are_idle
),

whole as materialized (
    select guest.h_user_pk
    from (
        select distinct h_user_pk
        from batch_orders
    ) as guest
    cross join marts
    where
        not marts.are_idle
        -- One by one, by the key: hubs grow with the history.
        or (
            select hub.load_dt
            from dds.h_user as hub
            where hub.h_user_pk = guest.h_user_pk
        ) = %(load_dt)s::timestamptz

    union

    select owner.h_user_pk
    from batch_known_changes as changed
    inner join dds.l_order_product as held on changed.h_product_pk = held.h_product_pk
    inner join dds.es_order_user as owner on held.h_order_pk = owner.h_order_pk
),

-- A version before the incoming ones may wait for a batch of its own, and the order be still counted for a guest whom none of
-- these versions names.
others as materialized (
    select h_order_pk
    from batch_orders
    where is_before

    union

    select batch.h_order_pk
    from batch_orders as batch
    where
        not exists (
            select 1
            from whole
            where whole.h_user_pk = batch.h_user_pk
        )
),

-- Those of which this batch has loaded a row that counting asks for.
touched as (
    select others.h_order_pk
    from others
    inner join batch_orders as version on others.h_order_pk = version.h_order_pk
    where version.is_status_changed or version.is_user_changed

    union

    select others.h_order_pk
    from others
    inner join batch_lines as line on others.h_order_pk = line.h_order_pk
    where line.is_begin or line.is_end
),

-- Before and now: what this batch has loaded bears its load_dt, and nothing else does.
counted as materialized (
    select
        touched.h_order_pk,
        owner.pk_before,
        owner.pk_now,
        basket.products_before as held_before,
        basket.products_now as held_now,
        case when status.before = 'CLOSED' then basket.products_before end as products_before,
        case when status.now = 'CLOSED' then basket.products_now end as products_now
    from touched
    -- Newest first, by the index: an order may have any number of versions.
    cross join lateral (
        select
            (
                select (array_agg(newest.status order by newest.sent_dttm desc, newest.value_hash desc))[1]
                from (
                    select stored.*
                    from dds.s_order_status as stored
                    where stored.h_order_pk = touched.h_order_pk
                    order by stored.effective_dttm desc
                    fetch first row with ties
                ) as newest
            ) as now,
            (
                select (array_agg(newest.status order by newest.sent_dttm desc, newest.value_hash desc))[1]
                from (
                    select stored.*
                    from dds.s_order_status as stored
                    where
                        stored.h_order_pk = touched.h_order_pk
                        and stored.load_dt <> %(load_dt)s::timestamptz
                    order by stored.effective_dttm desc
                    fetch first row with ties
                ) as newest
            ) as before
    ) as status
    cross join lateral (
        select
            (array_agg(owners.h_user_pk order by owners.effective_dttm desc, owners.sent_dttm desc, owners.value_hash desc))[1]
                as pk_now,
            (
                array_agg(owners.h_user_pk order by owners.effective_dttm desc, owners.sent_dttm desc, owners.value_hash desc)
                filter (where owners.load_dt <> %(load_dt)s::timestamptz)
            )[1] as pk_before
        from dds.es_order_user as owners
        where owners.h_order_pk = touched.h_order_pk
    ) as owner
    cross join lateral (
        select
            array_agg(held.h_product_pk order by held.h_product_pk asc) filter (where held.is_active_before)
                as products_before,
            array_agg(held.h_product_pk order by held.h_product_pk asc) filter (where held.is_active_now)
                as products_now
        from (
            select
                lines.h_product_pk,
                (array_agg(lines.is_active order by lines.effective_dttm desc, lines.sent_dttm desc, lines.value_hash desc))[1]
                    as is_active_now,
                (
                    array_agg(
                        lines.is_active order by lines.effective_dttm desc, lines.sent_dttm desc, lines.value_hash desc
                    )
                    filter (where lines.load_dt <> %(load_dt)s::timestamptz)
                )[1] as is_active_before
            from dds.es_order_product as lines
            where lines.h_order_pk = touched.h_order_pk
            group by lines.h_product_pk
        ) as held
    ) as basket
    where
        exists (
            select 1
            from dds.s_order_status as closed
            where
                closed.h_order_pk = touched.h_order_pk
                and closed.status = 'CLOSED'
        )
),

moved as materialized (
    select
        basket.h_user_pk,
        counted.h_order_pk,
        basket.products,
        basket.change
    from counted
    cross join lateral (
        values
        (counted.pk_before, counted.products_before, -1),
        (counted.pk_now, counted.products_now, 1)
    ) as basket (h_user_pk, products, change)
    where
        (counted.pk_before, counted.products_before) is distinct from (counted.pk_now, counted.products_now)
        and basket.products is not null
),

-- Another history: other turns between CLOSED and not, from the first version on that this batch has looked at, or another guest or
-- basket of an order that was CLOSED once.
firsts as (
    select
        h_order_pk,
        min(update_ts) as from_dttm
    from batch_orders
    group by h_order_pk
),

retold as (
    select owner.h_user_pk
    from counted
    inner join firsts on counted.h_order_pk = firsts.h_order_pk
    cross join lateral (
        select
            array_agg(version.effective_dttm order by version.effective_dttm asc, version.sent_dttm asc, version.value_hash asc)
            filter (where version.is_turn_before) as turns_before,
            array_agg(version.effective_dttm order by version.effective_dttm asc, version.sent_dttm asc, version.value_hash asc)
            filter (where version.is_turn_now) as turns_now
        from (
            select
                stored.effective_dttm,
                stored.sent_dttm,
                stored.value_hash,
                (
                    stored.load_dt <> %(load_dt)s::timestamptz
                    and (stored.status = 'CLOSED') is distinct from lag(stored.status = 'CLOSED') over (
                        partition by stored.load_dt = %(load_dt)s::timestamptz
                        order by stored.effective_dttm asc, stored.sent_dttm asc, stored.value_hash asc
                    )
                ) as is_turn_before,
                (
                    (stored.status = 'CLOSED') is distinct from lag(stored.status = 'CLOSED') over (
                        order by stored.effective_dttm asc, stored.sent_dttm asc, stored.value_hash asc
                    )
                ) as is_turn_now
            from dds.s_order_status as stored
            where
                stored.h_order_pk = counted.h_order_pk
                and stored.effective_dttm >= firsts.from_dttm
        ) as version
    ) as history
    cross join lateral (
        values
        (counted.pk_before),
        (counted.pk_now)
    ) as owner (h_user_pk)
    where
        owner.h_user_pk is not null
        and (counted.pk_before, counted.held_before, history.turns_before)
        is distinct from (counted.pk_now, counted.held_now, history.turns_now)
        and not exists (
            select 1
            from moved
            where moved.h_user_pk = owner.h_user_pk
        )
)

select
    h_user_pk,
    null,
    null,
    null,
    %(load_dt)s::timestamptz
from whole

union all

select distinct
    retold.h_user_pk,
    null::uuid,
    null::uuid[],
    null::smallint,
    %(load_dt)s::timestamptz
from retold
where
    not exists (
        select 1
        from whole
        where whole.h_user_pk = retold.h_user_pk
    )

union all

select
    moved.h_user_pk,
    case when marts.are_idle then moved.h_order_pk end,
    case when marts.are_idle then moved.products end,
    case when marts.are_idle then moved.change end,
    %(load_dt)s::timestamptz
from moved
cross join marts
where
    not exists (
        select 1
        from whole
        where whole.h_user_pk = moved.h_user_pk
    );
