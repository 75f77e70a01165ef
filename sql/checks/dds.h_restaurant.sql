-- Law dds.h_restaurant: the key of each restaurant is dds.hash_key of its business key.
-- Over: all
-- Params: none
select
    h_restaurant_pk,
    restaurant_id
from dds.h_restaurant
where h_restaurant_pk <> dds.hash_key(restaurant_id);

-- Law dds.h_restaurant.current: a restaurant has at most one current name (none while Redis has shown no document).
-- Over: all
-- Params: none
select
    stored.h_restaurant_pk,
    count(*) as names
from dds.s_restaurant_names as stored
inner join dds.current_restaurant_names as newest
    on
        stored.h_restaurant_pk = newest.h_restaurant_pk
        and stored.effective_dttm = newest.effective_dttm
        and stored.value_hash = newest.value_hash
group by stored.h_restaurant_pk
having count(*) > 1;
