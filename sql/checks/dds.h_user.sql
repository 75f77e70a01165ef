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
    stored.h_user_pk,
    count(*) as names
from dds.s_user_names as stored
inner join dds.current_user_names as newest
    on
        stored.h_user_pk = newest.h_user_pk
        and stored.effective_dttm = newest.effective_dttm
        and stored.value_hash = newest.value_hash
group by stored.h_user_pk
having count(*) > 1;
