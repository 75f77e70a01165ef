-- Law dds.h_product: the key of each dish is dds.hash_key of its business key.
-- Params: none
select
    h_product_pk,
    product_id
from dds.h_product
where h_product_pk <> dds.hash_key(product_id);

-- Law dds.h_product.current: a dish has at most one current name and one current category.
-- Params: none
with placed as (
    select
        'name' as attribute,
        h_product_pk,
        rank() over (
            partition by h_product_pk
            order by is_from_menu desc, effective_dttm desc, sent_dttm desc, restaurant_id desc, value_hash desc
        ) as place
    from dds.s_product_names

    union all

    select
        'category' as attribute,
        h_product_pk,
        rank() over (
            partition by h_product_pk
            order by effective_dttm desc, restaurant_id desc, value_hash desc
        ) as place
    from dds.es_product_category
)

select
    h_product_pk,
    attribute,
    count(*) as current_rows
from placed
where place = 1
group by h_product_pk, attribute
having count(*) > 1;
