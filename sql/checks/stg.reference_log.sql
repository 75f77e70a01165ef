-- Law stg.reference_log: each document of the log waits in the queue, or the vault knows its guest, or its restaurant with the
-- dishes of the menu and their categories.
-- Over: rows
-- Params: first_key, last_key, changed_since
select
    log.object_type,
    log.value_hash,
    log.load_dt
from stg.reference_log as log
where
    (
        log.value_hash between %(first_key)s::uuid and %(last_key)s::uuid
        or log.load_dt > %(changed_since)s::timestamptz
    )
    and (
        case log.object_type
            when 'user' then not exists (
                select 1
                from dds.h_user as hub
                where hub.h_user_pk = dds.hash_key(log.object_id)
            )
            else not exists (
                select 1
                from dds.h_restaurant as hub
                where hub.h_restaurant_pk = dds.hash_key(log.object_id)
            )
        end
        or exists (
            select 1
            from unnest(log.menu_ids, log.menu_categories) as entry (product_id, category_name)
            where
                not exists (
                    select 1
                    from dds.l_product_restaurant as link
                    where link.hk_product_restaurant_pk = dds.hash_key(entry.product_id, log.object_id)
                )
                or (
                    entry.category_name is not null
                    and not exists (
                        select 1
                        from dds.l_product_category as link
                        where link.hk_product_category_pk = dds.hash_key(entry.product_id, entry.category_name)
                    )
                )
        )
    )
    and not exists (
        select 1
        from stg.load_queue as queue
        where
            queue.source = 'reference_log'
            and queue.value_hash = log.value_hash
    );
