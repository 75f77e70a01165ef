-- Law dds.h_user: the key of each guest is dds.hash_key of its business key.
-- Params: none
select
    h_user_pk,
    user_id
from dds.h_user
where h_user_pk <> dds.hash_key(user_id);

-- Law dds.h_user.current: a guest has at most one current name (none while Redis has shown no document).
-- Params: none
select
    placed.h_user_pk,
    count(*) as names
from (
    select
        h_user_pk,
        rank() over (partition by h_user_pk order by effective_dttm desc, value_hash desc) as place
    from dds.s_user_names
) as placed
where placed.place = 1
group by placed.h_user_pk
having count(*) > 1;
