-- What a guest is suppressed by is looked for in documents, too, that wait for the vault when the guest is erased.

create or replace function stg.erase_guest(
    guest text,
    subject bytea,
    why text,
    requested timestamptz,
    done timestamptz,
    contents uuid[],
    scrubbed text[],
    letters bigint[]
)
returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
    pk uuid := dds.hash_key(guest);
    nobody uuid := dds.erased_guest();
    unknown uuid := gen_random_uuid();
    orders uuid[];
    counts jsonb := '{}';
    written bigint;
begin
    if guest = stg.erased_id() then
        raise exception 'this is nobody''s id';
    end if;

    -- What was received. The content's hash stays: a message that comes again is known.
    update stg.order_event_log as log
    set user_id = stg.erased_id(), value = message.value::json
    from unnest(contents, scrubbed) as message (value_hash, value)
    where log.value_hash = message.value_hash;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('stg.order_event_log', written);

    update stg.order_events as newest
    set payload = message.value::json -> 'payload'
    from unnest(contents, scrubbed) as message (value_hash, value)
    where newest.value_hash = message.value_hash;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('stg.order_events', written);

    -- Who else has the phone or the e-mail stays suppressed by it. Also those of documents that the vault has yet to load.
    with mine as (
        select phone, email from dds.s_user_contacts where h_user_pk = pk
        union
        select phone, email from stg.reference_log where object_type = 'user' and object_id = guest
    ),
    forms as (
        select distinct form.plain, form.hash
        from mine
        cross join lateral (
            values
            (cdm.phone_digits(mine.phone), encode(sha256(convert_to(cdm.phone_digits(mine.phone), 'UTF8')), 'hex')),
            (cdm.phone_digits(mine.phone), encode(sha256(convert_to('+' || cdm.phone_digits(mine.phone), 'UTF8')), 'hex')),
            (cdm.phone_digits(mine.phone), md5(cdm.phone_digits(mine.phone))),
            (cdm.email_plain(mine.email, false), encode(sha256(convert_to(cdm.email_plain(mine.email, false), 'UTF8')), 'hex')),
            (cdm.email_plain(mine.email, true), encode(sha256(convert_to(cdm.email_plain(mine.email, true), 'UTF8')), 'hex'))
        ) as form (plain, hash)
        where form.plain <> ''
    ),
    suppressed as materialized (
        select said.id, forms.plain
        from forms
        inner join cdm.suppressions as said on forms.hash = said.value
        where said.kind = 'identifier'
    ),
    -- Of the others each is looked at, where there is something to look for.
    others as (
        select contacts.phone, contacts.email
        from dds.s_user_contacts as contacts
        where contacts.h_user_pk <> pk and exists (select 1 from suppressed)
        union all
        select log.phone, log.email
        from stg.load_queue as queue
        inner join stg.reference_log as log on queue.value_hash = log.value_hash
        where
            queue.source = 'reference_log'
            and log.object_type = 'user'
            and log.object_id <> guest
            and exists (select 1 from suppressed)
    ),
    kept as (
        select distinct suppressed.id
        from suppressed
        inner join others
            on
                suppressed.plain in (
                    cdm.phone_digits(others.phone),
                    cdm.email_plain(others.email, false),
                    cdm.email_plain(others.email, true)
                )
    )
    delete from cdm.suppressions as said
    where
        said.value = guest
        or (
            said.id in (select suppressed.id from suppressed)
            and said.id not in (select kept.id from kept)
        );
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.suppressions', written);

    delete from stg.load_queue as queue
    using stg.reference_log as log
    where
        queue.source = 'reference_log'
        and queue.value_hash = log.value_hash
        and log.object_type = 'user'
        and log.object_id = guest;

    delete from stg.reference_log where object_type = 'user' and object_id = guest;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('stg.reference_log', written);

    delete from stg.reference_keys where object_type = 'user' and object_id = guest;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('stg.reference_keys', written);

    delete from stg.dead_letters where topic = 'redis' and message_key = convert_to(guest, 'UTF8');
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('stg.dead_letters', written);

    update stg.dead_letters set raw = null, message_key = null, detail = '' where id = any(letters);
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('stg.dead_letters.blanked', written);

    -- The vault: the orders become those of the shared guest. Where one erased guest follows another, that is no change.
    orders := array(select distinct h_order_pk from dds.es_order_user where h_user_pk = pk);

    insert into dds.h_user (h_user_pk, user_id, load_dt, load_src)
    select nobody, stg.erased_id(), done, min(es.load_src)
    from dds.es_order_user as es
    where es.h_user_pk = pk
    having count(*) > 0
    on conflict do nothing;

    insert into dds.l_order_user (hk_order_user_pk, h_order_pk, h_user_pk, load_dt, load_src)
    select dds.hash_key(hub.order_id::text, stg.erased_id()), hub.h_order_pk, nobody, link.load_dt, link.load_src
    from dds.h_order as hub
    inner join dds.l_order_user as link on link.hk_order_user_pk = dds.hash_key(hub.order_id::text, guest)
    where hub.h_order_pk = any(orders)
    on conflict do nothing;

    update dds.es_order_user set h_user_pk = nobody where h_user_pk = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('dds.es_order_user', written);

    delete from dds.es_order_user as es
    using (
        select
            h_order_pk,
            value_hash,
            h_user_pk,
            lag(h_user_pk) over (
                partition by h_order_pk order by effective_dttm asc, sent_dttm asc, value_hash asc
            ) as user_before
        from dds.es_order_user
        where h_order_pk = any(orders)
    ) as timeline
    where
        es.h_order_pk = timeline.h_order_pk
        and es.value_hash = timeline.value_hash
        and timeline.h_user_pk = nobody
        and timeline.user_before = nobody;

    delete from dds.l_order_user as link
    using dds.h_order as hub
    where
        hub.h_order_pk = any(orders)
        and link.hk_order_user_pk = dds.hash_key(hub.order_id::text, guest);
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('dds.l_order_user', written);

    -- Audiences. Who is at a channel stays there under a key of nobody's until the next export has taken them out.
    delete from cdm.audience_export_rows as line
    using cdm.audience_export_rows as mine
    where
        mine.user_id = pk
        and line.audience = mine.audience
        and line.identifier = mine.identifier
        and not exists (
            select 1
            from cdm.audience_members as members
            where members.audience = line.audience and line.identifier = any(members.identifiers)
        )
        and not exists (
            select 1
            from cdm.audience_member_changes as changes
            where changes.audience = line.audience and line.identifier = any(changes.identifiers)
        );
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.audience_export_rows', written);

    update cdm.audience_export_rows set user_id = null where user_id = pk;
    delete from cdm.audience_members where user_id = pk and grp = 'control';
    update cdm.audience_members set user_id = unknown where user_id = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.audience_members', written);
    update cdm.audience_member_changes
    set user_id = unknown, grp = case when grp = 'treatment' then grp end
    where user_id = pk;

    delete from cdm.consents where guest_id = guest;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.consents', written);

    delete from dds.s_user_contacts where h_user_pk = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('dds.s_user_contacts', written);

    delete from dds.s_user_names where h_user_pk = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('dds.s_user_names', written);

    -- The marts, and their sums by what leaves them.
    update cdm.product_totals as sums
    set guests = sums.guests - 1, order_cnt = sums.order_cnt - counter.order_cnt
    from cdm.user_product_counters as counter
    where counter.user_id = pk and counter.product_id = sums.product_id;
    delete from cdm.product_totals where guests = 0;

    update cdm.category_histogram as sums
    set guests = sums.guests - 1
    from cdm.user_category_counters as counter
    where
        counter.user_id = pk
        and counter.category_id = sums.category_id
        and counter.order_cnt = sums.order_cnt;
    delete from cdm.category_histogram where guests = 0;

    update cdm.tag_days as sums
    set assigned = sums.assigned - gone.assigned, revoked = sums.revoked - gone.revoked
    from (
        select
            tag,
            (event_dt at time zone 'UTC')::date as day,
            count(*) filter (where event = 'assigned') as assigned,
            count(*) filter (where event = 'revoked') as revoked
        from cdm.tag_events
        where user_id = pk
        group by 1, 2
    ) as gone
    where gone.tag = sums.tag and gone.day = sums.day;
    delete from cdm.tag_days where assigned = 0 and revoked = 0;

    delete from cdm.user_product_counters where user_id = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.user_product_counters', written);

    delete from cdm.user_category_counters where user_id = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.user_category_counters', written);

    delete from cdm.user_tags where user_id = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.user_tags', written);

    delete from cdm.tag_events where user_id = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('cdm.tag_events', written);

    delete from cdm.guest_due where user_id = pk;
    delete from dds.counter_queue where h_user_pk = pk;

    delete from dds.h_user where h_user_pk = pk;
    get diagnostics written = row_count;
    counts := counts || jsonb_build_object('dds.h_user', written);

    counts := coalesce((select jsonb_object_agg(key, value) from jsonb_each(counts) where value <> '0'::jsonb), '{}');

    -- The ledger, and the act. What was done before stays written when nothing was left to do.
    insert into stg.erasures as known (subject_hmac, requested_dt, done_dt, reason, counts)
    values (subject, requested, done, why, counts)
    on conflict (subject_hmac) do update set
        done_dt = excluded.done_dt,
        reopened_dt = case when excluded.reason = 'restore' then known.reopened_dt end,
        counts = case when excluded.counts = '{}' then known.counts else excluded.counts end;

    delete from stg.erasure_requests where guest_id = guest;
    return counts;
end
$$;
