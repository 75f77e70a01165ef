-- Law dds.h_user: the key of each guest is dds.hash_key of its business key.
-- Over: guests
-- Params: none
select hub.h_user_pk
from batch_checked_guests as checked
inner join dds.h_user as hub on checked.h_user_pk = hub.h_user_pk
where hub.h_user_pk <> dds.hash_key(hub.user_id);

-- Law dds.h_user.current: a guest has at most one current name (none while Redis has shown no document).
-- Over: guests
-- Params: none
select
    checked.h_user_pk,
    found.names
from batch_checked_guests as checked
cross join lateral (
    select count(*) as names
    from dds.s_user_names as stored
    inner join dds.current_user_names as newest
        on
            stored.h_user_pk = newest.h_user_pk
            and stored.effective_dttm = newest.effective_dttm
            and stored.value_hash = newest.value_hash
    where stored.h_user_pk = checked.h_user_pk
) as found
where found.names > 1;
