-- Law: the key of each restaurant is dds.hash_key of its business key.
-- Params: none
select
    h_restaurant_pk,
    restaurant_id
from dds.h_restaurant
where h_restaurant_pk <> dds.hash_key(restaurant_id);
