-- Before the marts are computed again from the vault, in the same transaction: queues every guest and every tag, those included
-- that only the marts know. The load then changes just the rows that are wrong; readers see the old ones until it commits.
-- From: dds.h_user, cdm.user_product_counters, cdm.user_category_counters, cdm.user_tags, cdm.tag_rules
-- Rerun: harmless
-- Params: load_dt
insert into dds.counter_queue (h_user_pk, id, load_dt)
select
    guest.h_user_pk,
    hashtextextended(guest.h_user_pk::text, extract(epoch from %(load_dt)s::timestamptz)::bigint),
    %(load_dt)s::timestamptz
from (
    select h_user_pk
    from dds.h_user
    union
    select user_id
    from cdm.user_product_counters
    union
    select user_id
    from cdm.user_category_counters
    union
    select user_id
    from cdm.user_tags
) as guest
on conflict do nothing;

insert into cdm.rule_queue (tag)
select tag
from cdm.tag_rules
union
select tag
from cdm.user_tags;
