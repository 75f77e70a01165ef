-- One row = a tag, its rule and how many guests carry it.
-- From: cdm.user_tags
select
    tag,
    category_name,
    threshold,
    count(*) as guests
from cdm.user_tags
group by tag, category_name, threshold
order by guests desc, tag asc
limit 5;
