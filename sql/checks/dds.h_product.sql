-- Law dds.h_product: the key of each dish is dds.hash_key of its business key.
-- Over: all
-- Params: none
select
    h_product_pk,
    product_id
from dds.h_product
where h_product_pk <> dds.hash_key(product_id);

-- Law dds.h_product.current: a dish has at most one current name and one current category.
-- Over: all
-- Params: none
with current_rows as (
    select
        'name' as attribute,
        stored.h_product_pk
    from dds.s_product_names as stored
    inner join dds.current_product_names as newest
        on
            stored.h_product_pk = newest.h_product_pk
            and stored.effective_dttm = newest.effective_dttm
            and stored.value_hash = newest.value_hash

    union all

    select
        'category' as attribute,
        stored.h_product_pk
    from dds.es_product_category as stored
    inner join dds.current_product_category as newest
        on
            stored.h_product_pk = newest.h_product_pk
            and stored.effective_dttm = newest.effective_dttm
            and stored.value_hash = newest.value_hash
)

select
    h_product_pk,
    attribute,
    count(*) as current_rows
from current_rows
group by h_product_pk, attribute
having count(*) > 1;
