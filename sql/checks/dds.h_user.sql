-- Law: the key of each guest is dds.hash_key of its business key.
-- Params: none
select
    h_user_pk,
    user_id
from dds.h_user
where h_user_pk <> dds.hash_key(user_id);
