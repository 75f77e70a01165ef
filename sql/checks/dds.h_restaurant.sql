-- Law dds.h_restaurant: the key of each restaurant is dds.hash_key of its business key.
-- Params: none
select
    h_restaurant_pk,
    restaurant_id
from dds.h_restaurant
where h_restaurant_pk <> dds.hash_key(restaurant_id);

-- Law dds.h_restaurant.current: a restaurant has at most one current name (none while Redis has shown no document).
-- Params: none
select
    placed.h_restaurant_pk,
    count(*) as names
from (
    select
        h_restaurant_pk,
        rank() over (partition by h_restaurant_pk order by effective_dttm desc, value_hash desc) as place
    from dds.s_restaurant_names
) as placed
where placed.place = 1
group by placed.h_restaurant_pk
having count(*) > 1;
