-- One row = a guest and a dish with their counter, by the sources' own ids.
-- From: cdm.user_product_counters, dds.h_user, dds.h_product
select
    h_user.user_id,
    h_product.product_id,
    counters.product_name,
    counters.order_cnt
from cdm.user_product_counters as counters
left join dds.h_user on counters.user_id = h_user.h_user_pk
left join dds.h_product on counters.product_id = h_product.h_product_pk;
