-- Law: the key of each order is dds.hash_key of its business key.
-- Params: none
select
    h_order_pk,
    order_id
from dds.h_order
where h_order_pk <> dds.hash_key(order_id::text);
