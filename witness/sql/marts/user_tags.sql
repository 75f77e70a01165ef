-- One row = a guest who carries a tag, with the evidence, by the sources' own ids.
-- From: cdm.user_tags, dds.h_user
select
    h_user.user_id,
    tags.tag,
    tags.category_name,
    tags.order_cnt,
    tags.threshold
from cdm.user_tags as tags
left join dds.h_user on tags.user_id = h_user.h_user_pk;
