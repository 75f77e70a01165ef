-- Law: a restaurant has at most one current name (none while Redis has shown no document).
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
