-- Before the marts are computed again from the vault, in the same transaction: queues every guest and every tag, those included
-- that only the marts know. The load then changes just the rows that are wrong; readers see the old ones until it commits.
-- From: dds.h_user, cdm.user_product_counters, cdm.user_category_counters, cdm.user_tags, cdm.guest_due, cdm.tag_rules
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
    union
    select user_id
    from cdm.guest_due
) as guest
on conflict do nothing;

-- The version before is the one in force: a rule is no reason here.
insert into cdm.rule_queue (tag, version_before)
select
    tag,
    max(version) filter (where active)
from (
    select
        tag,
        version,
        active
    from cdm.tag_rules

    union all

    select
        tag,
        rule_version,
        false
    from cdm.user_tags
) as known
group by tag;
