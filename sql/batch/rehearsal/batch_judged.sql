-- Temporary: the one rule that is rehearsed, in the place of those by which a run judges.
-- From: dds.h_category
-- Grain: one row
-- Rerun: dropped at the end of the transaction
-- Params: tag, category, threshold, window_days, exit_threshold, as_of
create temporary table batch_judged (
    rule_id integer,
    tag varchar,
    category_id uuid,
    threshold integer,
    window_days integer,
    is_timed boolean,
    leaves_over integer,
    as_of timestamptz
) on commit drop;

insert into batch_judged
select
    1,
    %(tag)s::varchar,
    category.h_category_pk,
    %(threshold)s::integer,
    %(window_days)s::integer,
    true,
    coalesce(%(exit_threshold)s::integer, %(threshold)s::integer),
    %(as_of)s::timestamptz
from dds.h_category as category
where category.category_name = %(category)s::varchar;

analyze batch_judged;
