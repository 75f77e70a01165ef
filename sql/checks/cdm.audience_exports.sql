-- Law cdm.audience_exports: the published exports of an audience are numbered without gaps, and each has the lines that it says; fewer only
-- where a guest was erased.
-- Over: all, once a round
-- Params: none
select
    exports.audience,
    exports.seq,
    exports.number,
    exports.adds,
    exports.removes
from (
    select
        audience,
        seq,
        adds,
        removes,
        row_number() over (partition by audience order by seq asc) as number
    from cdm.audience_exports
    where status = 'published'
) as exports
left join (
    select
        audience,
        seq,
        count(*) filter (where op = 'add') as adds,
        count(*) filter (where op = 'remove') as removes
    from cdm.audience_export_rows
    group by
        audience,
        seq
) as lines
    on
        exports.audience = lines.audience
        and exports.seq = lines.seq
where
    exports.seq <> exports.number
    or exports.adds < coalesce(lines.adds, 0)
    or exports.removes < coalesce(lines.removes, 0)
    or (
        (exports.adds, exports.removes) <> (coalesce(lines.adds, 0), coalesce(lines.removes, 0))
        and not exists (select 1 from stg.erasures)
    );
