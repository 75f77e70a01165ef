-- One row = a guest who carries a tag whose rule has a window or an exit threshold, by the sources' own ids.
-- From: cdm.user_tags, dds.h_user
select
    h_user.user_id,
    tags.tag,
    tags.window_days,
    tags.exit_threshold,
    tags.leaves_dt,
    tags.since_dt
from cdm.user_tags as tags
left join dds.h_user on tags.user_id = h_user.h_user_pk
where num_nonnulls(tags.window_days, tags.exit_threshold) > 0;
