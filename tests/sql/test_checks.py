"""The laws of sql/checks: each holds in a sound warehouse, and is broken by what it is there to find."""

import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from harness.pipeline import LOG, SQL, Pipeline
from harness.runs import rebuild_run, run
from local.stack import Stack
from operators import check_laws as operator_module
from operators.check_laws import BrokenLawError, CheckLawsOperator, UncheckedLawError
from tests.messages import order, restaurant, user
from tests.streams import LAWS, MOMENTS, Broom
from warehouse import laws as law_module
from warehouse.constants import SQL_FOLDER
from warehouse.laws import (
    EVERYTHING,
    KEYS,
    LAST_KEY,
    LAWS_FOLDER,
    Law,
    Progress,
    Scope,
    ask_laws,
    check_laws,
    laws_of,
)
from warehouse.layers import WHOLE
from warehouse.requests import WHAT_CHANGED as WHAT_CHANGED_AND_A_SLICE
from warehouse.session import Session
from warehouse.sql_files import read_sql, run_sql

LAW_OF = {law.name: law for law in LAWS}
NOW = "2026-01-01 00:00:00+00"
OLD = "2025-01-01 00:00:00+00"
EARLIER, LATER = "2020-01-01 00:00:00+00", "2030-01-01 00:00:00+00"
# One of which one guest was foreseen.
REHEARSED = -1


def rehearsal(
    weeks: str = "",
    near: str = "(0, 0), (1, 0), (2, 0), (3, 0)",
    overlaps: str = "",
    counts: str = "1, 0, 0",
    rule: str = "'fan', 'Pizza', 0, null, null",
    more: str = "null, null",
) -> str:
    """Return the insert of a rehearsal; `counts`: guests, would_enter, would_leave; `more`: rule_version, facts_dt."""
    return f"""
        insert into cdm.rehearsals overriding system value
        select {REHEARSED}, {rule}, '{EARLIER}', as_of, 'UTC', {counts}, 0, 0, 1, 0, 'test', '{NOW}', {more} from cdm.tag_clock;
        {"".join(f"insert into cdm.rehearsal_weeks values ({REHEARSED}, {week});" for week in weeks.split("; ") if week)}
        insert into cdm.rehearsal_near select {REHEARSED}, * from (values {near}) as told;
        {f"insert into cdm.rehearsal_overlaps values ({REHEARSED}, {overlaps})" if overlaps else ""}
    """


# Of a rule that a draft has become since, by the facts of the rehearsal.
CAME = {"rule": "'lately', 'Pizza', 0, 3660, null", "more": "null, (select load_dt from cdm.tag_clock)"}
# Ann has gone to a channel.
EXPORTED = f"""
insert into cdm.audiences
values ('pizza', 'yandex', '{{fan}}', '{{}}', 'guest_id', 'own', 0, 'salt', false, 0, 30, 'active');
insert into cdm.audience_exports
values ('pizza', 1, 'diff', 'published', '{NOW}', '{NOW}', 1, 0, 1, '{{}}', 'hash', 'test', '{NOW}', null);
insert into cdm.audience_export_rows values ('pizza', 1, 'add', 'ann', dds.hash_key('ann'));
insert into cdm.audience_members values ('pizza', dds.hash_key('ann'), 'treatment', '{{ann}}', 1, '{NOW}')
"""
# By then the order of the sound warehouse that counts for a window of ten years has left it.
LEFT = "2040-01-01 00:00:00+00"
NOBODY = "00000000-0000-0000-0000-000000000000"
# In the sound warehouse below, orders 1 and 2 are CLOSED and counted; order 3 is OPEN, so that what it holds counts nowhere.
H1, H3 = "(select value_hash from stg.order_events where object_id = 1)", "dds.hash_key('3')"
H3_MESSAGE = "(select value_hash from stg.order_events where object_id = 3)"
DOCUMENT = "(select value_hash from stg.reference_log where object_type = 'user' and object_id = 'ann')"
MENU = "(select value_hash from stg.reference_log where object_id = 'diner')"
SYSTEM = f"'{NOW}', 'test'"
OF_GUESTS = ("ann", "bob", "Ann", "Bob", "ann@app", "bob@app", "+7 999 123-45-67", "ann@mail")
ANN, DINER = "dds.hash_key('ann')", "dds.hash_key('diner')"
SOUP, PIZZA = "dds.hash_key('soup')", "dds.hash_key('pizza')"


def satellite(table: str, parent: str, key: str, value_hash: str, values: str) -> str:
    """Return the insert of a row; `values`: what follows the parent in the table's order."""
    return f"insert into dds.{table} values ({key}, {parent}, {values}, {value_hash}, {SYSTEM})"


def row_key(parent: str, value_hash: str) -> str:
    return f"dds.hash_key(({parent})::text, ({value_hash})::text)"


def named_by_line(name: str, effective: str) -> str:
    return f"'{name}', false, '{effective}', '{effective}', ''"


def try_of_backup(kind: str, finished: str, *, is_good: bool) -> str:
    return f"""
        insert into stg.backups (kind, stamp, seconds, is_good, detail, finished_dt)
        values ('{kind}', '20260101T000000Z', 1, {is_good}, '', '{finished}');
    """


def export(seq: int, status: str, planned: str) -> str:
    published = f"'{planned}'" if status == "published" else "null"
    return f"""
        insert into cdm.audience_exports
        values ('pizza', {seq}, 'diff', '{status}', '{NOW}', '{planned}', 0, 0, 1, '{{}}', 'hash', 'test', {published}, null)
    """


ADDED_LATER = f"""
{export(2, "planned", LATER)};
insert into cdm.audience_export_rows values ('pizza', 2, 'add', 'bob', dds.hash_key('bob'))
"""


def suppression(kind: str, value: str, channel: str, since: str) -> str:
    return f"""
        insert into cdm.suppressions (kind, value, channel, reason, since, made_by, made_dt)
        values ('{kind}', '{value}', '{channel}', 'unsubscribed', '{since}', 'test', '{since}')
    """


def twice(table: str, *drops: str) -> str:
    """Return what lets a table hold each of its rows twice."""
    return ";".join(drops) + f"; insert into dds.{table} select * from dds.{table}"


def without_key(table: str) -> str:
    return f"alter table dds.{table} drop constraint {table}_pkey cascade"


# Law: ways to break it, and it alone.
BREAKS: dict[str, list[str]] = {
    "stg.order_events": [
        "update stg.order_events set sent_dttm = sent_dttm + interval '1 second' where object_id = 3",
    ],
    "stg.order_events.source": [
        f"""
        insert into stg.order_events (object_id, payload, object_type, sent_dttm, update_ts, value_hash, load_dt)
        values (77, '{{}}', 'order', '{NOW}', '{NOW}', '{NOBODY}', '{NOW}')
        """,
    ],
    "stg.order_event_log": [
        f"""
        insert into stg.reference_keys values ('restaurant', 'elsewhere', false, '{NOW}');
        insert into stg.order_event_log
        select
            '{NOBODY}', object_id, '{EARLIER}', sent_dttm, order_dt, user_id, 'elsewhere', final_status, cost, payment,
            '{{}}', '{{}}', value, topic, "partition", "offset", load_dt
        from stg.order_event_log where object_id = 3
        """,
    ],
    "stg.lost_messages": [
        f"""
        insert into stg.lost_messages (topic, topic_id, "partition", from_offset, to_offset, noticed_dt)
        values ('t', 'i', 0, 3, 8, '{NOW}')
        """,
    ],
    "stg.dead_letters.unreadable": [
        f"""
        insert into stg.dead_letters
            (value_hash, topic, "partition", "offset", reason, detail, attempts, load_dt, attempt_dt)
        values ('{NOBODY}', 't', 0, 20, 'unreadable_batch', 'offsets 20 to 29', 1, '{NOW}', '{NOW}')
        """,
    ],
    "stg.reference_log": [
        f"""
        insert into stg.reference_log
        values (
            '{NOBODY}', 'restaurant', 'diner', '{EARLIER}', 'Old', null, '{{ghost}}', '{{null}}', '{{null}}',
            '{{"menu": []}}', '{NOW}'
        )
        """,
    ],
    "stg.reference_keys": [
        "update stg.reference_keys set is_found = false where object_id = 'ann'",
        "delete from stg.reference_keys where object_id = 'bob'",
    ],
    "stg.load_queue": [
        f"insert into stg.load_queue values ('order_event_log', '{NOBODY}', '{NOW}')",
        f"insert into stg.load_queue select 'reference_log', {H1}, '{NOW}'",
        f"insert into stg.load_queue select 'order_event_log', {H1}, '{NOW}', 0",
    ],
    "stg.load_queue.age": [f"insert into stg.load_queue select 'order_event_log', {H1}, '{OLD}'"],
    "stg.drain_ends.age": [f"insert into stg.drain_ends values ('orders', '{OLD}', '{OLD}')"],
    # Nobody can be made older by hand; real ones are in test_what_never_ends_is_seen_whoever_began_it.
    "stg.open_transactions.age": [
        f"""
        create or replace view stg.open_transactions as
        select 'session'::text as kind, 'zoe'::text as who, '{OLD}'::timestamptz as since, ''::text as detail
        """,
    ],
    "stg.backups.age": [
        try_of_backup("dump", OLD, is_good=True),
        try_of_backup("dump", OLD, is_good=False),
        try_of_backup("dump", OLD, is_good=True) + try_of_backup("dump", LATER, is_good=False),
        try_of_backup("restore", OLD, is_good=True),
        try_of_backup("restore", LATER, is_good=True) + try_of_backup("restore", LATER, is_good=False),
    ],
    "stg.withdrawn.age": [
        f"insert into stg.withdrawn select {H3_MESSAGE}, 'wrong', 'owner', '{OLD}'",
        f"insert into stg.withdrawn select {MENU}, 'wrong', 'owner', '{OLD}'",
    ],
    "stg.erasures": [f"insert into cdm.guest_due values (dds.erased_guest(), '{LATER}')"],
    "dds.counter_queue": [f"insert into dds.counter_queue (h_user_pk, load_dt) values ('{NOBODY}', '{NOW}')"],
    "dds.counter_queue.age": [f"insert into dds.counter_queue (h_user_pk, load_dt) select {ANN}, '{OLD}'"],
    "cdm.rule_queue.age": [
        f"insert into cdm.rule_queue (tag) values ('fan'); update cdm.tag_rules set changed_dt = '{OLD}'",
    ],
    "stg.judged_orders": [f"insert into stg.judged_orders (value_hash, is_accepted) values ('{NOBODY}', false)"],
    "stg.judged_references": [
        f"insert into stg.judged_references (value_hash, is_accepted) values ('{NOBODY}', false)"
    ],
    "dds.suspended_keys": ["insert into dds.suspended_keys (restoring) values ('select 1')"],
    "dds.h_user": [f"insert into dds.h_user values ('{NOBODY}', 'carl', {SYSTEM})"],
    "dds.h_product": [f"insert into dds.h_product values ('{NOBODY}', 'cake', {SYSTEM})"],
    "dds.h_category": [f"insert into dds.h_category values ('{NOBODY}', 'Cakes', {SYSTEM})"],
    "dds.h_restaurant": [f"insert into dds.h_restaurant values ('{NOBODY}', 'cafe', {SYSTEM})"],
    "dds.l_order_user": [
        f"insert into dds.l_order_user select '{NOBODY}', {H3}, {ANN}, {SYSTEM}",
        f"insert into dds.l_order_user select '{NOBODY}', {H3}, '{NOBODY}', {SYSTEM}",
        f"insert into dds.l_order_user select '{NOBODY}', '{NOBODY}', {ANN}, {SYSTEM}",
    ],
    "dds.l_order_product": [f"insert into dds.l_order_product select '{NOBODY}', {H3}, {SOUP}, {SYSTEM}"],
    "dds.l_product_category": [
        f"insert into dds.l_product_category select '{NOBODY}', {SOUP}, dds.hash_key('Soups'), {SYSTEM}",
        f"insert into dds.l_product_category select '{NOBODY}', {SOUP}, '{NOBODY}', {SYSTEM}",
    ],
    "dds.l_product_restaurant": [
        f"insert into dds.l_product_restaurant select '{NOBODY}', {SOUP}, {DINER}, {SYSTEM}",
        f"insert into dds.l_product_restaurant select '{NOBODY}', '{NOBODY}', {DINER}, {SYSTEM}",
    ],
    "dds.s_order_cost": [
        satellite("s_order_cost", H3, f"'{NOBODY}'", H1, f"1, 1, '{EARLIER}', '{EARLIER}'"),
        satellite("s_order_cost", f"'{NOBODY}'", row_key(f"'{NOBODY}'", H1), H1, f"1, 1, '{EARLIER}', '{EARLIER}'"),
    ],
    "dds.s_order_status": [
        satellite("s_order_status", H3, f"'{NOBODY}'", H1, f"'OPEN', '{EARLIER}', '{EARLIER}'"),
        satellite("s_order_status", H3, row_key(H3, f"'{NOBODY}'"), f"'{NOBODY}'", f"'OPEN', '{EARLIER}', '{EARLIER}'"),
        f"""
        {satellite("s_order_status", H3, row_key(H3, H1), H1, f"'OPEN', '{EARLIER}', '{EARLIER}'")};
        update dds.s_order_status set closed_dttm = '{EARLIER}' where h_order_pk = {H3} and value_hash = {H1}
        """,
    ],
    "dds.s_user_names": [satellite("s_user_names", ANN, f"'{NOBODY}'", DOCUMENT, f"'A', 'a', '{EARLIER}'")],
    "dds.s_user_contacts": [satellite("s_user_contacts", ANN, f"'{NOBODY}'", DOCUMENT, f"'7', 'a@b', '{EARLIER}'")],
    "dds.s_product_names": [
        satellite("s_product_names", SOUP, f"'{NOBODY}'", H1, named_by_line("S", EARLIER)),
    ],
    "dds.s_restaurant_names": [satellite("s_restaurant_names", DINER, f"'{NOBODY}'", MENU, f"'D', '{EARLIER}'")],
    "dds.es_order_user": [
        f"insert into dds.es_order_user select {H3}, '{NOBODY}', '{EARLIER}', '{EARLIER}', {H1}, {SYSTEM}",
    ],
    "dds.es_order_product": [
        f"insert into dds.es_order_product select {H3}, '{NOBODY}', false, '{EARLIER}', '{EARLIER}', {H1}, {SYSTEM}",
    ],
    "dds.es_product_category": [
        f"insert into dds.es_product_category select {SOUP}, '{NOBODY}', '{EARLIER}', 'diner', {MENU}, {SYSTEM}",
    ],
    "dds.h_order.current": [
        twice("s_order_status", without_key("s_order_status")),
        twice("s_order_cost", without_key("s_order_cost")),
        twice("es_order_user", without_key("es_order_user")),
    ],
    "dds.h_user.current": [
        twice("s_user_names", without_key("s_user_names"), "drop index dds.s_user_names_version"),
    ],
    "dds.h_restaurant.current": [
        twice("s_restaurant_names", without_key("s_restaurant_names"), "drop index dds.s_restaurant_names_version"),
    ],
    "dds.h_product.current": [
        twice("s_product_names", without_key("s_product_names"), "drop index dds.s_product_names_version"),
        twice("es_product_category", without_key("es_product_category")),
    ],
    "dds.l_order_product.current": [
        twice("es_order_product", without_key("es_order_product")),
    ],
    "dds.s_order_status.newest": [
        satellite("s_order_status", H3, row_key(H3, H1), H1, f"'COOKING', '{LATER}', '{LATER}'"),
        "update dds.s_order_status set closed_dttm = closed_dttm + interval '1 hour' where status = 'CLOSED'",
        "update dds.s_order_status set closed_dttm = null where status = 'CLOSED'",
    ],
    "dds.s_order_cost.newest": [
        satellite("s_order_cost", H3, row_key(H3, H1), H1, f"null, 1, '{LATER}', '{LATER}'"),
    ],
    "dds.es_order_user.newest": [
        f"""
        insert into dds.l_order_user select dds.hash_key('3', 'bob'), {H3}, dds.hash_key('bob'), {SYSTEM};
        insert into dds.es_order_user select {H3}, dds.hash_key('bob'), '{LATER}', '{LATER}', {H1}, {SYSTEM}
        """,
    ],
    "dds.es_order_product.newest": [
        f"insert into dds.es_order_product select {H3}, {SOUP}, false, '{LATER}', '{LATER}', {H1}, {SYSTEM}",
        f"""
        insert into dds.l_order_product select dds.hash_key('3', 'tea'), {H3}, dds.hash_key('tea'), {SYSTEM};
        insert into dds.es_order_product select {H3}, dds.hash_key('tea'), true, '{LATER}', '{LATER}', {H1}, {SYSTEM}
        """,
    ],
    "dds.s_user_names.newest": [
        satellite("s_user_names", ANN, row_key(ANN, H1), H1, f"'A', 'a', '{LATER}'").replace(H1, MENU),
    ],
    "dds.s_user_contacts.newest": [
        satellite("s_user_contacts", ANN, row_key(ANN, MENU), MENU, f"'7', null, '{LATER}'"),
        f"update dds.s_user_contacts set email = 'other@app' where h_user_pk = {ANN}",
        f"delete from dds.s_user_contacts where h_user_pk = {ANN}",
    ],
    "dds.s_restaurant_names.newest": [
        satellite("s_restaurant_names", DINER, row_key(DINER, DOCUMENT), DOCUMENT, f"'D', '{LATER}'"),
    ],
    "dds.s_product_names.newest": [
        satellite("s_product_names", SOUP, row_key(SOUP, H1), H1, f"'S', true, '{LATER}', '{LATER}', 'diner'"),
    ],
    "dds.es_product_category.newest": [
        f"""
        insert into dds.l_product_category
        select dds.hash_key('soup', 'Drinks'), {SOUP}, dds.hash_key('Drinks'), {SYSTEM};
        insert into dds.es_product_category
        select {SOUP}, dds.hash_key('Drinks'), '{LATER}', 'diner', {DOCUMENT}, {SYSTEM}
        """,
    ],
    "cdm.user_product_counters": [
        f"update cdm.user_product_counters set product_name = 'Other' where user_id = {ANN}",
    ],
    "cdm.user_product_counters.source": [
        """
        update stg.order_events
        set payload = replace(payload::text, '"pizza"', '"calzone"')::json
        where object_id = 1
        """,
    ],
    "cdm.user_category_counters": [
        f"update cdm.user_category_counters set category_name = 'Other' where user_id = {ANN}",
    ],
    "cdm.user_category_counters.source": [
        "update stg.reference_log set value = replace(value::text, '\"Drinks\"', '\"Juices\"')::json",
    ],
    "cdm.audience_members": [
        "update cdm.audience_members set identifiers = '{bob}'",
        "delete from cdm.audience_members",
        "update cdm.audience_export_rows set identifier = 'bob'",
    ],
    "cdm.audience_members.control": [
        f"insert into cdm.audience_members values ('pizza', dds.hash_key('bob'), 'control', '{{}}', null, '{NOW}')",
        "update cdm.audiences set control_percent = 99.99",
    ],
    "cdm.audience_export_rows": [
        f"{export(2, 'planned', NOW)}; insert into cdm.audience_export_rows values ('pizza', 2, 'remove', 'bob', null)",
        f"""
        {export(2, "planned", NOW)};
        insert into cdm.audience_export_rows
        values ('pizza', 2, 'remove', 'ann', null), ('pizza', 2, 'add', 'ann', null)
        """,
    ],
    "cdm.audience_exports": [
        "update cdm.audience_exports set adds = 2",
        "update cdm.audience_exports set removes = 1",
        export(3, "published", NOW),
    ],
    "cdm.audience_member_changes": [
        "insert into cdm.audience_member_changes values ('pizza', dds.hash_key('bob'), 'treatment', '{bob}')",
    ],
    "cdm.suppressions": [
        f"{ADDED_LATER}; {suppression('guest', 'bob', 'yandex', NOW)}",
        f"{ADDED_LATER}; {suppression('identifier', 'bob', '*', NOW)}",
    ],
    "cdm.suppressions.at_channel": [
        f"{export(2, 'published', LATER)}; {suppression('guest', 'ann', '*', '2028-01-01 00:00:00+00')}",
        f"{export(2, 'published', LATER)}; {suppression('identifier', 'ann', 'yandex', '2028-01-01 00:00:00+00')}",
    ],
    "cdm.user_tags": [
        "update cdm.user_tags set order_cnt = order_cnt + 1 where tag = 'fan'",
        "update cdm.user_tags set threshold = threshold + 1 where tag = 'fan'",
        "update cdm.user_tags set rule_version = rule_version + 1 where tag = 'fan'",
    ],
    "cdm.user_tags.timed": [
        *(
            f"update cdm.user_tags set {damage} where tag = 'lately'"
            for damage in (
                "order_cnt = order_cnt + 1",
                "threshold = threshold + 1",
                "rule_version = rule_version + 1",
                "window_days = window_days + 1",
                "exit_threshold = 0",
                "since_dt = since_dt + interval '1 second'",
                "leaves_dt = leaves_dt + interval '1 second'",
                "leaves_dt = null",
            )
        ),
    ],
    "cdm.guest_due": [
        "delete from cdm.guest_due",
        "update cdm.guest_due set due_dt = due_dt + interval '1 second'",
        f"update cdm.guest_due set due_dt = '{EARLIER}'",
    ],
    "cdm.tag_clock": [
        f"update cdm.tag_events set as_of = '{LEFT}'",
        "delete from cdm.tag_clock",
    ],
    "cdm.rehearsal_weeks": [
        rehearsal("'2026-01-05', 1, 0, 0, 1; '2026-01-12', 1, 0, 0, 1"),
        rehearsal("'2026-01-05', 0, 0, 1, 1"),
        rehearsal("'2026-01-05', 2, 0, 0, 2"),
    ],
    "cdm.rehearsal_near": [
        rehearsal(near="(0, 0), (1, 0), (3, 0)"),
        rehearsal(near="(0, 2), (1, 0), (2, 0), (3, 0)"),
    ],
    "cdm.rehearsal_overlaps": [
        rehearsal(overlaps="'other', 1, 1, 0"),
        rehearsal(overlaps="'other', 0, 1, 0"),
    ],
    # The rule of version 1 is in force; one who carries it would leave, and one who doesn't would come.
    "cdm.rehearsals": [
        rehearsal(counts="1, 1, 0", more="1, '-infinity'"),
        rehearsal(counts="1, 0, 1", more="1, '-infinity'"),
        rehearsal(counts="1, 1, 0", rule="'lately', 'Pizza', 0, 3660, null", more="1, '-infinity'"),
    ],
    # One guest got the tag when it came into force.
    "cdm.rehearsals.came": [
        rehearsal(counts="1, 0, 0", **CAME),
        rehearsal(counts="1, 2, 0", **CAME),
        rehearsal(counts="1, 1, 1", **CAME),
    ],
    "cdm.tag_events.compensates": [
        "update cdm.tag_events set compensates = 0",
    ],
    "cdm.tag_rule_versions": [
        "update cdm.tag_rule_versions set threshold = threshold + 1",
        "delete from cdm.tag_rule_versions",
    ],
    "cdm.tag_events": [
        f"""
        insert into cdm.tag_events overriding system value
        select -1, user_id, tag, 'assigned', category_name, order_cnt, threshold, rule_version, '{NOW}'
        from cdm.tag_events where tag = 'fan';
        insert into cdm.tag_days select tag, '2026-01-01', count(*), 0 from cdm.tag_events where id < 0 group by tag
        """,
        f"""
        insert into cdm.tag_events overriding system value
        select id + 100 + n, user_id, tag, (array['revoked', 'assigned'])[n], category_name, order_cnt, threshold, 1, '{NOW}'
        from cdm.tag_events cross join generate_series(1, 2) as n where tag = 'fan';
        insert into cdm.tag_days values ('fan', '2026-01-01', 1, 1);
        update cdm.user_tags set assigned_dt = '{NOW}' where tag = 'fan'
        """,
    ],
    "stg.order_hours": [
        "update stg.order_hours set orders = orders + 1 where status = 'OPEN'",
        "update stg.order_hours set empty_orders = 1 where status = 'OPEN'",
        "update stg.order_hours set cost = cost + 0.01 where status = 'OPEN'",
        "update stg.order_hours set restaurant_id = 'elsewhere' where status = 'OPEN'",
        "delete from stg.order_hours",
        f"insert into stg.order_hours values ('{NOW}', 'diner', 'COOKING', 1, 0, 0)",
    ],
    "stg.order_statuses": [
        "update stg.order_statuses set orders = orders + 1",
        "update stg.order_statuses set empty_orders = empty_orders + 1",
        "update stg.order_statuses set status = 'ELSE' where status = 'OPEN'",
        "delete from stg.order_statuses",
        "insert into stg.order_statuses values ('COOKING', 1, 0)",
    ],
    "cdm.product_totals": [
        "update cdm.product_totals set guests = guests + 1",
        "update cdm.product_totals set order_cnt = order_cnt + 1",
        f"delete from cdm.product_totals where product_id = {PIZZA}",
        f"insert into cdm.product_totals select {SOUP}, 1, 1",
    ],
    "cdm.category_histogram": [
        "update cdm.category_histogram set guests = guests + 1",
        "update cdm.category_histogram set order_cnt = order_cnt + 1",
        "update cdm.category_histogram set category_name = 'Other'",
        "delete from cdm.category_histogram",
    ],
    "cdm.tag_days": [
        "update cdm.tag_days set assigned = assigned + 1",
        "update cdm.tag_days set revoked = revoked + 1",
        "update cdm.tag_days set day = day - 1",
        "delete from cdm.tag_days",
    ],
    "cdm.tag_events.fold": ["update cdm.user_tags set assigned_dt = assigned_dt - interval '1 hour'"],
}
# A hub's key can't be wrong alone: what hangs from it must hang from the wrong one.
BREAKS["dds.h_order"] = [
    f"""
    insert into dds.h_order values ('{NOBODY}', 4, '{NOW}', {SYSTEM});
    insert into dds.l_order_user select dds.hash_key('4', 'ann'), '{NOBODY}', {ANN}, {SYSTEM};
    insert into dds.es_order_user select '{NOBODY}', {ANN}, '{NOW}', '{NOW}', {H1}, {SYSTEM};
    {satellite("s_order_status", f"'{NOBODY}'", row_key(f"'{NOBODY}'", H1), H1, f"'OPEN', '{NOW}', '{NOW}'")};
    {satellite("s_order_cost", f"'{NOBODY}'", row_key(f"'{NOBODY}'", H1), H1, f"1, 1, '{NOW}', '{NOW}'")}
    """
]
# A row whose own key is wrong, or that hangs from a key that nothing else has: no change leads there, its slice does.
LOST_ROWS = {("dds.h_order", 0), ("dds.h_user", 0), ("dds.s_order_cost", 1)}
BROKEN = [pytest.param(law, damage, id=law) for law, damages in BREAKS.items() for damage in damages]
# Gross damage breaks several laws; each of these must be among them.
DAMAGES = {
    "a counter is off by one": (
        f"update cdm.user_product_counters set order_cnt = order_cnt + 1 where user_id = {ANN}",
        {"cdm.user_product_counters", "cdm.user_product_counters.source"},
    ),
    "a counter is gone": (
        "delete from cdm.user_category_counters",
        {"cdm.user_category_counters", "cdm.user_category_counters.source", "cdm.user_tags"},
    ),
    "a tag is taken by hand": ("delete from cdm.user_tags", {"cdm.user_tags", "cdm.tag_events.fold"}),
    "a status was not loaded": (
        "delete from dds.s_order_status where h_order_pk = dds.hash_key('1')",
        {
            "dds.h_order.current",
            "dds.s_order_status.newest",
            "cdm.user_product_counters",
            "cdm.user_category_counters",
        },
    ),
    "an order was not loaded": (
        "delete from dds.h_order where order_id = 3",
        {"dds.l_order_user", "dds.l_order_product", "dds.s_order_status", "dds.s_order_cost", "stg.order_event_log"},
    ),
    "an older version has replaced a newer one": (
        """
        update stg.order_events as stored
        set update_ts = log.update_ts, sent_dttm = log.sent_dttm, value_hash = log.value_hash,
            payload = log.value -> 'payload'
        from stg.order_event_log as log
        where stored.object_id = 1 and log.object_id = 1 and log.final_status = 'OPEN'
        """,
        {"stg.order_events", "dds.s_order_status.newest", "cdm.user_product_counters.source"},
    ),
}


@pytest.fixture(scope="module")
def sound(stack: Stack) -> Iterator[Pipeline]:
    """A warehouse in which every table has rows and every law holds."""
    with Pipeline() as pipeline:
        pipeline.clear()
        pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
        lately = (
            "insert into cdm.tag_rules (tag, category_name, threshold, window_days) values ('lately', 'Pizza', 0, 3660)"
        )
        pipeline.owner.execute(lately)
        menu = {"pizza=Pizza": "Pizza", "calzone=Calzone": "Pizza", "tea=Tea": "Drinks", "soup=Soup": "Soups"}
        pipeline.refer(
            [
                ("restaurant", "diner", restaurant(menu=menu)),
                ("user", "ann", user("ann", name="Ann", login="ann@app", phone="+7 999 123-45-67", email="ann@mail")),
                ("user", "bob", user("bob", name="Bob", login="bob@app")),
            ]
        )
        pipeline.stage(
            [
                order(1, "OPEN", user="ann", dishes=("pizza",), update_ts="2026-01-01 11:00:00"),
                order(1, user="ann", dishes=("pizza",)),
                order(2, user="bob", dishes=("tea",)),
                order(3, "OPEN", user="ann", dishes=("soup",)),
            ]
        )
        pipeline.load()
        pipeline.owner.execute(EXPORTED)
        yield pipeline
        pipeline.clear()


@pytest.fixture
def admin(sound: Pipeline) -> Iterator[psycopg.Connection]:
    """A transaction in which everything may be broken, and which is rolled back."""
    with psycopg.connect(Broom.admin_url(sound), autocommit=False) as connection:
        connection.execute("set session_replication_role = replica")  # neither foreign keys nor triggers
        yield connection
        connection.rollback()


def broken_now(connection: psycopg.Connection) -> set[str]:
    broken, unanswered = ask_laws(connection, LAWS, dict.fromkeys(MOMENTS, NOW), max_rows=5, log=LOG)
    assert not unanswered
    return set(broken)


def test_all_laws_hold_in_a_sound_warehouse(admin: psycopg.Connection) -> None:
    assert broken_now(admin) == set()


def test_a_rehearsal_that_came_true_or_that_facts_have_overtaken_breaks_no_law(admin: psycopg.Connection) -> None:
    admin.execute(rehearsal(counts="1, 1, 0", **CAME))
    assert broken_now(admin) == set()
    admin.execute("update cdm.rehearsals set would_enter = 7")
    assert broken_now(admin) == {"cdm.rehearsals.came"}
    admin.execute(f"update cdm.tag_clock set load_dt = '{LATER}'")
    assert broken_now(admin) == set()


def test_every_law_has_a_way_to_break_it() -> None:
    assert set(BREAKS) == {law.name for law in LAWS}


@pytest.mark.parametrize(("law", "damage"), BROKEN)
def test_a_damage_breaks_its_law_and_no_other(
    admin: psycopg.Connection, caplog: pytest.LogCaptureFixture, law: str, damage: str
) -> None:
    admin.execute(damage)
    assert broken_now(admin) == {law}
    assert not {f'"{text}"' for text in OF_GUESTS if f'"{text}"' in caplog.text}, "the log tells keys alone"


def broken_rows(connection: psycopg.Connection, name: str, scope: Scope) -> int:
    """Return how many rows break a law in a scope; 0 where it is not due there."""
    laws = [law for law in scope.due(LAWS) if law.name == name]
    broken, unanswered = ask_laws(connection, laws, dict.fromkeys(MOMENTS, NOW), max_rows=5, log=LOG, scope=scope)
    assert not unanswered
    return broken.get(name, 0)


NOTHING = Scope("infinity", None, EVERYTHING.last_key)
WHAT_CHANGED = NOTHING._replace(changed_since=EARLIER)
PARTS = 5
SLICES = [Scope("infinity", UUID(int=KEYS * n // PARTS), UUID(int=KEYS * (n + 1) // PARTS - 1)) for n in range(PARTS)]


@pytest.mark.parametrize(("law", "damage"), BROKEN)
def test_a_damage_is_found_in_what_is_old_by_the_slice_that_it_is_in(
    admin: psycopg.Connection, law: str, damage: str
) -> None:
    admin.execute(damage)
    found = [broken_rows(admin, law, scope) for scope in SLICES]
    if LAW_OF[law].over == "all":
        assert all(found), "it is asked of everything each time"
    else:
        assert sum(found) >= broken_rows(admin, law, EVERYTHING), "a guest may be found by each of their orders"


@pytest.mark.parametrize(
    ("law", "number"),
    [
        pytest.param(law.name, number, id=law.name)
        for law in LAWS
        if law.is_of_a_part
        for number in range(len(BREAKS[law.name]))
    ],
)
def test_a_damage_is_found_in_what_has_changed_and_is_not_looked_for_elsewhere(
    admin: psycopg.Connection, law: str, number: int
) -> None:
    admin.execute(BREAKS[law][number])
    assert not broken_rows(admin, law, NOTHING)
    found = broken_rows(admin, law, WHAT_CHANGED)
    assert found == (0 if (law, number) in LOST_ROWS else broken_rows(admin, law, EVERYTHING))


def test_a_law_is_over_what_its_text_reads() -> None:
    for law in LAWS:
        reads = {
            "orders": "batch_checked_orders" in law.text,
            "guests": "batch_checked_guests" in law.text,
            "rows": "%(first_key)s" in law.text and "%(changed_since)s" in law.text,
        }
        assert [kind for kind in reads if reads[kind]] == ([law.over] if law.is_of_a_part else []), law.name


@pytest.mark.parametrize(("damage", "laws"), DAMAGES.values(), ids=DAMAGES)
def test_a_gross_damage_breaks_every_law_that_it_touches(
    admin: psycopg.Connection, damage: str, laws: set[str]
) -> None:
    admin.execute(damage)
    assert broken_now(admin) >= laws


@pytest.mark.parametrize("law", LAWS, ids=[law.name for law in LAWS])
def test_a_law_is_said_in_words_and_stands_in_the_file_of_its_table(sound: Pipeline, law: Law) -> None:
    assert law.words.endswith(".")
    _, statement = law.text.split("\n-- Params: ")
    assert law.over
    assert statement.count(";") == 1, "the next statement begins with a header of its own"
    table = Path(law.file).stem
    assert law.name == table or law.name.startswith(f"{table}.")
    assert sound.value("select to_regclass(%s) is not null", [table])


def test_nothing_in_the_files_is_left_out() -> None:
    for path in Path(SQL_FOLDER, LAWS_FOLDER).glob("*.sql"):
        assert "".join(law.text for law in laws_of(path)) == path.read_text(encoding="utf-8")


# --- the operator --------------------------------------------------------------------------------------------------------


def test_the_operator_counts_the_laws_that_hold(pipeline: Pipeline) -> None:
    pipeline.stage([order(1)])
    pipeline.load()
    assert run(CheckLawsOperator(task_id="laws")) == {"laws": len(LAWS), "broken": 0}


def test_what_a_load_has_still_to_do_breaks_no_law(pipeline: Pipeline) -> None:
    pipeline.stage([order(1), order(2, user="other")])
    pipeline.load_dds(max_events=1, max_batches=1)
    assert pipeline.value("select count(*) from stg.load_queue") == 1
    assert run(CheckLawsOperator(task_id="laws"))["broken"] == 0


def test_what_waits_for_too_long_breaks_a_law(pipeline: Pipeline) -> None:
    pipeline.stage([order(1)])
    pipeline.owner.execute("update stg.load_queue set load_dt = load_dt - interval '31 minutes'")
    with pytest.raises(BrokenLawError, match=r"1 of \d+ laws are broken: stg\.load_queue\.age \(1 rows\)"):
        run(CheckLawsOperator(task_id="laws"))
    assert run(CheckLawsOperator(task_id="laws", max_queue_age_minutes=60))["broken"] == 0


def test_a_broken_law_is_told_in_words_with_its_first_rows(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.stage([order(1, dishes=("a", "b", "c"))])
    pipeline.load()
    pipeline.owner.execute("update cdm.user_product_counters set order_cnt = 7")
    with (
        psycopg.connect(os.environ["DWH_ETL_URL"]) as connection,
        caplog.at_level(logging.INFO, "tests.laws"),
    ):
        session = Session(connection, SQL, log=logging.getLogger("tests.laws"))
        check_laws(session, LAWS, {"lock_timeout_ms": 0, **dict.fromkeys(MOMENTS, NOW)}, max_rows=2)
    lines = [record.getMessage() for record in caplog.records if record.name == "tests.laws"]
    (told,) = [
        line
        for line in lines
        if line.endswith("(sql/checks/cdm.user_product_counters.sql)") and "recount of the vault" in line
    ]
    assert told.startswith("broken in 3 rows: each counter and each name is what a recount of the vault gives")
    shown = lines[lines.index(told) + 1 :][:3]
    assert [json.loads(line)["order_cnt"] for line in shown[:2]] == [7, 7]
    assert shown[2] == "  and 1 more: run the law to see them"
    timed = {line.split()[0] for line in lines if " rows in " in line and line.endswith(" s")}
    assert {law.name for law in LAWS} <= timed, "each law has its line, those after the broken one too"


def test_a_law_that_can_not_be_checked_costs_none_of_the_others(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Law("a.wrong", "checks/a.wrong.sql", "-- Over: all\nselect 1 from nowhere")
    monkeypatch.setattr(operator_module, "read_laws", lambda: [bad, *LAWS])
    with pytest.raises(UncheckedLawError, match=r"1 of \d+ laws could not be checked: a\.wrong"):
        run(CheckLawsOperator(task_id="laws"))
    pipeline.stage([order(1)])
    pipeline.load()
    pipeline.owner.execute("update cdm.user_product_counters set order_cnt = 7")
    with pytest.raises(BrokenLawError, match=r"3 of"):
        run(CheckLawsOperator(task_id="laws"))


def test_no_law_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("warehouse.laws.SQL_FOLDER", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="holds no law"):
        run(CheckLawsOperator(task_id="laws"))


def test_checking_changes_nothing_and_waits_for_no_load(pipeline: Pipeline) -> None:
    pipeline.stage([order(1)])
    run(CheckLawsOperator(task_id="laws"))
    before = pipeline.snapshot()
    with psycopg.connect(os.environ["DWH_ETL_URL"]) as load:
        load.execute("select pg_advisory_xact_lock(hashtext('dwh.stg')), pg_advisory_xact_lock(hashtext('dwh.dds'))")
        load.execute("delete from stg.load_queue")
        assert run(CheckLawsOperator(task_id="laws"))["broken"] == 0
        load.rollback()
    assert pipeline.snapshot() == before


def found(pipeline: Pipeline) -> dict[str, int]:
    return dict(pipeline.rows("select law, broken_rows from cdm.v_laws"))


def test_what_was_found_is_kept_for_who_looks_from_outside(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.owner.execute("insert into stg.law_checks values ('of an older release', 3, now())")
    pipeline.stage([order(1, dishes=("a", "b", "c"))])
    pipeline.load()
    run(CheckLawsOperator(task_id="laws"))
    assert found(pipeline) == dict.fromkeys((law.name for law in LAWS), 0)
    pipeline.owner.execute("update cdm.user_product_counters set order_cnt = 7")
    with pytest.raises(BrokenLawError):
        run(CheckLawsOperator(task_id="laws"))
    assert {law: rows for law, rows in found(pipeline).items() if rows} == {
        "cdm.product_totals": 3,
        "cdm.user_product_counters": 3,
        "cdm.user_product_counters.source": 3,
    }
    pipeline.owner.execute("update stg.law_checks set checked_dt = %s", [OLD])
    laws = [law._replace(text="-- Over: all\nselect 1 / 0") if law.name == "cdm.user_tags" else law for law in LAWS]
    monkeypatch.setattr(operator_module, "read_laws", lambda: laws)
    pipeline.owner.execute("update cdm.user_product_counters set order_cnt = 1")
    with pytest.raises(UncheckedLawError):
        run(CheckLawsOperator(task_id="laws"))
    assert pipeline.rows("select law from cdm.v_laws where checked_age_s > 86400") == [("cdm.user_tags",)]


def test_what_never_ends_is_seen_whoever_began_it(pipeline: Pipeline) -> None:
    slot = "select pg_create_physical_replication_slot('forgotten', true)"
    with (
        psycopg.connect(pipeline.env["DWH_BI_URL"]) as analyst,
        psycopg.connect(pipeline.env["DWH_ADMIN_URL"], autocommit=True) as admin,
    ):
        pid = analyst.info.backend_pid
        analyst.execute("select * from cdm.v_tags")
        admin.execute(slot)
        try:
            with pytest.raises(BrokenLawError, match=r"stg.open_transactions.age") as error:
                run(CheckLawsOperator(task_id="laws", max_transaction_age_hours=0))
            seen = pipeline.rows("select kind, who, detail from stg.open_transactions")
            ages = pipeline.rows("select kind, age_s >= 0 from cdm.v_open_transactions")
        finally:
            admin.execute("select pg_drop_replication_slot('forgotten')")
    assert error.value.names == ["stg.open_transactions.age"]
    assert ("session", "dwh_bi", f"pid {pid}, idle in transaction") in seen
    assert ("slot", "forgotten", "unused physical slot") in seen
    assert ("slot", True) in ages
    run(CheckLawsOperator(task_id="laws"))


# --- an hour at a time ----------------------------------------------------------------------------------------------------


def an_hour(**arguments: Any) -> dict[str, int]:
    """Do what `data_checks` does every hour."""
    return run(CheckLawsOperator(task_id="laws", scope=WHAT_CHANGED_AND_A_SLICE, **arguments))


@pytest.fixture
def old_orders(pipeline: Pipeline) -> Pipeline:
    """Twenty guests with an order each, stored long ago and checked."""
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(n, user=f"guest {n}", dishes=("pizza",)) for n in range(20)])
    pipeline.load()
    for table in ("stg.order_event_log", "stg.reference_log", "dds.l_order_user", "dds.l_order_product"):
        pipeline.owner.execute(f"update {table} set load_dt = '{OLD}'")
    assert an_hour()["broken"] == 0
    return pipeline


def test_a_round_of_hours_asks_every_law_and_comes_to_every_guest(old_orders: Pipeline) -> None:
    old_orders.owner.execute("update cdm.user_product_counters set product_name = 'Other'")
    found = 0
    for _ in range(23):  # the first hour is over
        with suppress(BrokenLawError):
            an_hour()
        found += old_orders.value("select sum(broken_rows) from stg.law_checks where law = 'cdm.user_product_counters'")
        old_orders.owner.execute("update stg.law_checks set broken_rows = 0")  # else it would be asked of everything
    assert 15 < found <= 20
    assert old_orders.value("select checked_key from stg.check_progress") == LAST_KEY
    assert old_orders.value("select count(*) from stg.law_checks") == len(LAWS)


def test_what_has_changed_is_checked_within_the_hour(old_orders: Pipeline) -> None:
    old_orders.stage([order(n, user=f"guest {n}", cost=7, update_ts="2026-06-01 00:00:00") for n in (3, 8, 11)])
    old_orders.load()
    old_orders.owner.execute("update cdm.user_product_counters set order_cnt = order_cnt + 1")
    with pytest.raises(BrokenLawError):
        an_hour()
    found = old_orders.value("select broken_rows from stg.law_checks where law = 'cdm.user_product_counters'")
    assert 3 <= found < 10, "those of three guests, and of the slice"


def test_what_waits_at_the_check_is_checked_by_the_next(old_orders: Pipeline) -> None:
    old_orders.stage([order(3, user="guest 3", cost=7, update_ts="2026-06-01 00:00:00")])
    old_orders.owner.execute("update stg.load_queue set load_dt = load_dt - interval '1 day'")
    old_orders.owner.execute("update stg.order_event_log set load_dt = load_dt - interval '1 day' where cost = 7")
    an_hour(max_queue_age_minutes=10_000)
    old_orders.load()
    old_orders.owner.execute("update dds.s_order_cost set cost = 8 where cost = 7")
    with pytest.raises(BrokenLawError, match=r"dds\.s_order_cost\.newest \(1 rows\)"):
        an_hour()


def test_a_law_that_was_broken_is_asked_of_everything_until_it_holds(old_orders: Pipeline) -> None:
    old_orders.owner.execute("update cdm.user_product_counters set product_name = 'Other'")
    old_orders.owner.execute("update stg.law_checks set broken_rows = 1 where law = 'cdm.user_product_counters'")
    for _ in range(2):
        with pytest.raises(BrokenLawError, match=r"1 of \d+ laws are broken: cdm\.user_product_counters \(20 rows\)"):
            an_hour()
    old_orders.owner.execute("update cdm.user_product_counters set product_name = ''")
    assert an_hour()["broken"] == 0


def test_the_position_waits_for_a_law_without_an_answer(old_orders: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    position = "select checked_key, changed_dt from stg.check_progress"
    before = old_orders.rows(position)
    laws = [
        law._replace(text="-- Over: all\nselect 1 / 0") if law.name == "cdm.rule_queue.age" else law for law in LAWS
    ]
    with monkeypatch.context() as patch:
        patch.setattr(operator_module, "read_laws", lambda: laws)
        with pytest.raises(UncheckedLawError):
            an_hour()
    assert old_orders.rows(position) == before
    an_hour()
    assert old_orders.rows(position) != before


@pytest.mark.parametrize(("hours", "parts"), [(0.1, 1), (1, 1), (3, 3), (100, 4)])
def test_missed_hours_are_made_up_for_up_to_a_limit_and_no_key_is_left_out(hours: float, parts: int) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    before = Progress(UUID(int=KEYS // 4), now - timedelta(hours=hours), EARLIER, None, [])
    scope = before.next_scope(now)
    assert scope.first_key == UUID(int=KEYS // 4 + 1)
    assert (scope.last_key.int - scope.first_key.int) / KEYS == pytest.approx(parts / 24)
    near_the_end = before._replace(checked_key=UUID(int=KEYS - 5))
    assert near_the_end.next_scope(now).last_key == LAST_KEY
    assert near_the_end._replace(checked_key=LAST_KEY).next_scope(now).first_key == UUID(int=0)


def test_what_a_check_takes_for_changed_is_bounded(old_orders: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law_module, "MAX_CHANGED", 2)
    for number in (3, 8, 11, 15):
        old_orders.stage([order(number, user=f"guest {number}", cost=7, update_ts="2026-06-01 00:00:00")])
    old_orders.load()
    asked_of = {}
    ask = law_module.ask_laws

    def listen(*args: Any, scope: Scope, **options: Any) -> Any:
        asked_of["orders"] = old_orders.value(
            "select count(*) from stg.order_event_log where load_dt > %s", [scope.changed_since]
        )
        return ask(*args, scope=scope, **options)

    monkeypatch.setattr(law_module, "ask_laws", listen)
    an_hour()
    assert asked_of == {"orders": 2}, "the newest two; the others wait for their slice"


# --- beside a rebuild ----------------------------------------------------------------------------------------------------


def wait_until_locks_are_waited_for(pipeline: Pipeline, done: threading.Event) -> None:
    """Return when a session waits for a lock of a table, or when what should wait has ended."""
    while not done.wait(0.05):
        if pipeline.value("select exists (select from pg_locks where locktype = 'relation' and not granted)"):
            return


@pytest.fixture
def twenty_orders(pipeline: Pipeline) -> Pipeline:
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(n) for n in range(20)])
    pipeline.load()
    return pipeline


def test_a_rebuild_of_the_vault_during_the_checks_breaks_no_law(
    twenty_orders: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def rebuild() -> None:
        rebuild_run()
        done.set()

    rebuilding = threading.Thread(target=rebuild)
    ask = law_module.ask_laws

    def ask_with_a_rebuild(connection: psycopg.Connection, laws: Sequence[Law], *args: Any, **options: Any) -> Any:
        broken, unanswered = ask(connection, laws[:1], *args, **options)  # the snapshot is taken
        rebuilding.start()
        wait_until_locks_are_waited_for(twenty_orders, done)
        more_broken, more_unanswered = ask(connection, laws[1:], *args, **options)
        return broken | more_broken, unanswered | more_unanswered

    monkeypatch.setattr(law_module, "ask_laws", ask_with_a_rebuild)
    assert run(CheckLawsOperator(task_id="laws"))["broken"] == 0
    rebuilding.join()
    assert done.is_set(), "the rebuild goes on after the checks"


def test_checks_that_begin_during_a_rebuild_see_the_whole_vault_after_it(twenty_orders: Pipeline) -> None:
    result: dict[str, Any] = {}
    done = threading.Event()

    def check() -> None:
        result.update(run(CheckLawsOperator(task_id="laws")))
        done.set()

    with psycopg.connect(os.environ["DWH_ETL_URL"]) as connection:
        connection.execute("select dds.clear_vault()")  # a rebuild in its middle
        checking = threading.Thread(target=check)
        checking.start()
        wait_until_locks_are_waited_for(twenty_orders, done)
        connection.rollback()
    checking.join()
    assert result["broken"] == 0


def test_checks_do_not_fail_because_a_rebuild_is_long(twenty_orders: Pipeline) -> None:
    with psycopg.connect(os.environ["DWH_ETL_URL"]) as connection:
        connection.execute("select dds.clear_vault()")
        with pytest.raises(AirflowSkipException, match="the vault is being built again"):
            run(CheckLawsOperator(task_id="laws", max_rebuild_wait_s=0.1))
        connection.rollback()


@pytest.mark.parametrize("function", ["dds.clear_vault()", "dds.suspend_keys()"])
def test_who_reads_in_one_snapshot_keeps_all_others_out_at_the_first_table(pipeline: Pipeline, function: str) -> None:
    with psycopg.connect(os.environ["DWH_ETL_URL"]) as reader, psycopg.connect(os.environ["DWH_ETL_URL"]) as writer:
        run_sql(reader, read_sql([WHOLE]), {"lock_timeout_ms": 0}, LOG)
        done = threading.Event()

        def write() -> None:
            writer.execute(f"select {function}")
            done.set()

        writing = threading.Thread(target=write)
        writing.start()
        wait_until_locks_are_waited_for(pipeline, done)
        asked = "select relation::regclass::text, granted from pg_locks where pid = %s and mode = 'AccessExclusiveLock'"
        assert pipeline.rows(asked, [writer.info.backend_pid]) == [("dds.h_order", False)]
        reader.rollback()
        writing.join()
        assert {granted for _, granted in pipeline.rows(asked, [writer.info.backend_pid])} == {True}
        writer.rollback()
