-- How far the checks have come: up to which key in their round, when, since when what is stored counts as changed (as text: it may
-- be -infinity), since when something waits to be loaded, and which laws were broken when they were last asked.
-- What has changed is bounded: where more than max_changed messages, documents or links are newer, the newest of each count, and
-- the others wait for their slice.
-- From: stg.check_progress, stg.law_checks, stg.load_queue, dds.counter_queue; stg.order_event_log, stg.reference_log,
-- dds.l_order_user, dds.l_order_product
-- Grain: one row
-- Rerun: harmless
-- Params: max_changed
with known as (
    select
        max(checked_key::text)::uuid as checked_key,
        max(checked_dt) as checked_dt,
        coalesce(max(changed_dt), '-infinity') as changed_dt
    from stg.check_progress
)

select
    known.checked_key,
    known.checked_dt,
    greatest(
        known.changed_dt,
        (
            select messages.load_dt
            from stg.order_event_log as messages
            where messages.load_dt > known.changed_dt
            order by messages.load_dt desc
            limit 1 offset %(max_changed)s
        ),
        (
            select documents.load_dt
            from stg.reference_log as documents
            where documents.load_dt > known.changed_dt
            order by documents.load_dt desc
            limit 1 offset %(max_changed)s
        ),
        (
            select links.load_dt
            from dds.l_order_user as links
            where links.load_dt > known.changed_dt
            order by links.load_dt desc
            limit 1 offset %(max_changed)s
        ),
        (
            select links.load_dt
            from dds.l_order_product as links
            where links.load_dt > known.changed_dt
            order by links.load_dt desc
            limit 1 offset %(max_changed)s * 5
        )
    )::text as changed_since,
    (
        select min(waiting.load_dt)
        from (
            select load_dt from stg.load_queue
            union all
            select load_dt from dds.counter_queue
        ) as waiting
    ) as waiting_since,
    array(
        select answer.law
        from stg.law_checks as answer
        where answer.broken_rows > 0
        order by answer.law
    ) as broken_before
from known;
