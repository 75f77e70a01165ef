-- Law: each row tells of a link that exists, and STG holds the version that says so.
-- Params: none
select
    effectivity.h_order_pk,
    effectivity.h_user_pk,
    effectivity.value_hash
from dds.es_order_user as effectivity
where
    not exists (
        select 1
        from dds.l_order_user as link
        where
            link.h_order_pk = effectivity.h_order_pk
            and link.h_user_pk = effectivity.h_user_pk
    )
    or not exists (
        select 1
        from stg.order_event_log as log
        where log.value_hash = effectivity.value_hash
    );
