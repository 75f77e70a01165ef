-- Law dds.es_product_category: each row tells of a link that exists, and STG holds the version that says so.
-- Over: all
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

-- Law dds.es_product_category.newest: each dish now belongs to the category that the newest menu with one gives it; of equally new
-- ones the greater restaurant id decides, then the document. Dishes of a menu in the queue are left out.
-- Over: all
-- Params: none
with newest as (
    select distinct on (entry.product_id)
        entry.product_id,
        entry.category_name
    from stg.reference_log as log
    cross join lateral unnest(log.menu_ids, log.menu_categories) as entry (product_id, category_name)
    where entry.category_name is not null
    order by entry.product_id asc, log.update_ts desc, log.object_id collate "C" desc, log.value_hash desc
)

select
    newest.product_id,
    newest.category_name as newest_category_name,
    current_rows.h_product_pk,
    current_rows.h_category_pk
from newest
full join dds.current_product_category as current_rows on dds.hash_key(newest.product_id) = current_rows.h_product_pk
where
    current_rows.h_category_pk is distinct from dds.hash_key(newest.category_name)
    and not exists (
        select 1
        from stg.queued_documents as queued
        where newest.product_id = any(queued.menu_ids)
    );
