-- Law: each row tells of a link that exists, and STG holds the version that says so.
-- Params: none
select
    effectivity.h_product_pk,
    effectivity.h_category_pk,
    effectivity.value_hash
from dds.es_product_category as effectivity
where
    not exists (
        select 1
        from dds.l_product_category as link
        where
            link.h_product_pk = effectivity.h_product_pk
            and link.h_category_pk = effectivity.h_category_pk
    )
    or not exists (
        select 1
        from stg.reference_log as log
        where log.value_hash = effectivity.value_hash
    );
