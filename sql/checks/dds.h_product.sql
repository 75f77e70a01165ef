-- Law: the key of each dish is dds.hash_key of its business key.
-- Params: none
select
    h_product_pk,
    product_id
from dds.h_product
where h_product_pk <> dds.hash_key(product_id);
