-- One row = an active rule: who carries its tag, and who is one, two, three closed orders short of it.
-- From: cdm.v_tags, cdm.v_tag_funnel
-- Params: none
select
    tags.tag,
    tags.category_name,
    tags.threshold,
    tags.rule_version,
    tags.changed_dt,
    tags.guests,
    coalesce(max(funnel.guests) filter (where funnel.orders_missing = 1), 0) as one_short,
    coalesce(max(funnel.guests) filter (where funnel.orders_missing = 2), 0) as two_short,
    coalesce(max(funnel.guests) filter (where funnel.orders_missing = 3), 0) as three_short
from cdm.v_tags as tags
left join cdm.v_tag_funnel as funnel on tags.tag = funnel.tag
group by tags.tag, tags.category_name, tags.threshold, tags.rule_version, tags.changed_dt, tags.guests
order by tags.guests desc, tags.tag asc;
