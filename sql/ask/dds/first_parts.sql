-- The parts of a first load: ranges of the orders' keys of about as many events each, so that no part needs what another one holds of
-- an order. The first one has no beginning, and takes what has no key: documents. No row where the vault holds an order, or nothing
-- waits. A limit of the events takes one part of that many.
-- From: dds.h_order, stg.load_queue
-- Grain: from_key
-- Rerun: reads
-- Params: max_first_events, part_events
with waiting as (
    select
        case
            when %(max_first_events)s::bigint is null then ceil(count(*)::numeric / %(part_events)s)::integer
            when count(*) > 0 then 1
        end as parts
    from stg.load_queue
    where not exists (select 1 from dds.h_order)
),

parts as (
    select
        waiting.parts,
        generate_series(1, waiting.parts) as part
    from waiting
)

select
    case when part > 1 then rpad(lpad(to_hex((part - 1) * 65536 / parts), 4, '0'), 32, '0')::uuid end as from_key,
    case when part < parts then rpad(lpad(to_hex(part * 65536 / parts), 4, '0'), 32, '0')::uuid end as to_key,
    %(max_first_events)s::bigint as max_events
from parts
order by part;
