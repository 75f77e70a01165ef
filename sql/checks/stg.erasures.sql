-- Law stg.erasures: the erased are nobody: their shared guest has no counters, tags, events, names or contacts.
-- Over: all
-- Params: none
select found.source
from (
    select
        'user_product_counters' as source,
        user_id
    from cdm.user_product_counters
    union all
    select
        'user_category_counters',
        user_id
    from cdm.user_category_counters
    union all
    select
        'user_tags',
        user_id
    from cdm.user_tags
    union all
    select
        'tag_events',
        user_id
    from cdm.tag_events
    union all
    select
        'guest_due',
        user_id
    from cdm.guest_due
    union all
    select
        's_user_names',
        h_user_pk
    from dds.s_user_names
    union all
    select
        's_user_contacts',
        h_user_pk
    from dds.s_user_contacts
) as found
where found.user_id = dds.erased_guest();
