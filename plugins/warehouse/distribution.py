"""Where each table of the warehouse lies on a distributed PostgreSQL (Citus): by which column, or on the coordinator alone.

The one list of it. `deploy.distribute` makes a warehouse so, `Session` asks whether it is, and tests/sql/test_distribution.py
holds the list against the catalogue of a plain one, where nothing of it is in force. What an order has lies with the order, what
a guest has with the guest; both keys are uuids, so one group of shards holds all. The menu and the sums stay on the coordinator.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from warehouse.constants import SQL_FOLDER

# Table -> the column whose hash says where a row lies.
DISTRIBUTED: Mapping[str, str] = MappingProxyType(
    {
        "stg.order_event_log": "h_order_pk",
        "stg.order_events": "h_order_pk",
        "stg.load_queue": "object_pk",
        "dds.h_order": "h_order_pk",
        "dds.l_order_user": "h_order_pk",
        "dds.l_order_product": "h_order_pk",
        "dds.s_order_cost": "h_order_pk",
        "dds.s_order_status": "h_order_pk",
        "dds.es_order_user": "h_order_pk",
        "dds.es_order_product": "h_order_pk",
        "dds.h_user": "h_user_pk",
        "dds.s_user_names": "h_user_pk",
        "dds.s_user_contacts": "h_user_pk",
        "dds.counter_queue": "h_user_pk",
        "cdm.user_product_counters": "user_id",
        "cdm.user_category_counters": "user_id",
        "cdm.user_tags": "user_id",
    }
)
# On the coordinator: the menu, the rules, sums, letters, what is noted of runs.
LOCAL = frozenset(
    {
        "stg.reference_log",
        "stg.reference_keys",
        "stg.order_hours",
        "stg.order_statuses",
        "stg.dead_letters",
        "stg.withdrawn",
        "stg.erasures",
        "stg.erasure_requests",
        "stg.guest_looks",
        "stg.guest_look_key",
        "stg.judged_orders",
        "stg.judged_references",
        "stg.drain_progress",
        "stg.drain_ends",
        "stg.lost_messages",
        "stg.backups",
        "stg.law_checks",
        "stg.check_progress",
        "dds.suspended_keys",
        "dds.h_product",
        "dds.h_category",
        "dds.h_restaurant",
        "dds.l_product_category",
        "dds.l_product_restaurant",
        "dds.s_product_names",
        "dds.s_restaurant_names",
        "dds.es_product_category",
        "cdm.product_totals",
        "cdm.category_histogram",
        "cdm.tag_rules",
        "cdm.tag_rule_versions",
        "cdm.rule_queue",
        "cdm.tag_days",
        "cdm.tag_events",
        "cdm.tag_clock",
        "cdm.guest_due",
        "cdm.rehearsals",
        "cdm.rehearsal_weeks",
        "cdm.rehearsal_overlaps",
        "cdm.rehearsal_near",
        "cdm.audiences",
        "cdm.audience_exports",
        "cdm.audience_export_rows",
        "cdm.audience_members",
        "cdm.audience_member_changes",
        "cdm.suppressions",
        "cdm.consents",
    }
)
# Columns that only a distributed warehouse has: a key by which a row is found, made of what the row holds.
ADDED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "stg.order_event_log": ("h_order_pk", "dds.hash_key(object_id::text)"),
        "stg.order_events": ("h_order_pk", "dds.hash_key(object_id::text)"),
        "stg.load_queue": (
            "object_pk",
            "case when source = 'order_event_log' then dds.hash_key(object_id::text) else value_hash end",
        ),
    }
)
# Serial numbers would be counted on the coordinator, row by row: there the statements make them of what identifies a row.
MADE_IDS = frozenset(
    {"stg.order_events", "dds.counter_queue", "cdm.user_product_counters", "cdm.user_category_counters"}
)
# What a batch holds of orders and guests, table -> column: permanent, unlogged, distributed tables of the schema `work`, empty
# between transactions. The other tables of a batch are small, and temporary as everywhere.
WORK: Mapping[str, str] = MappingProxyType(
    {
        "incoming_orders": "h_order_pk",
        "incoming_newest": "h_order_pk",
        "batch_events": "object_pk",
        "batch_orders": "h_order_pk",
        "batch_lines": "h_order_pk",
        "batch_claims": "h_user_pk",
        "batch_guests": "h_user_pk",
        "batch_closed_lines": "h_user_pk",
        "batch_product_changes": "user_id",
        "batch_category_changes": "user_id",
        "batch_tags": "user_id",
        "batch_checked_orders": "h_order_pk",
        "batch_checked_guests": "h_user_pk",
        "batch_checked_baskets": "h_order_pk",
    }
)
WORK_SCHEMA = "work"
# Where a statement must be said otherwise on a distributed warehouse: in a file of the same name below this room of sql/.
OTHERWISE = "distributed"


# How a file makes the table of a batch.
MAKING = re.compile(r"create temporary table (\w+) \((.*?)\n\) on commit drop;", re.DOTALL)


def said_otherwise(name: str) -> Path | None:
    """Return where the statement of a file below `sql/` is said for a distributed warehouse, None where it is the same."""
    path = Path(SQL_FOLDER, OTHERWISE, name)
    return path if path.exists() else None


def views_said_otherwise() -> dict[str, str]:
    """Return the views that a distributed warehouse must be asked by another statement, and that statement."""
    files = sorted(Path(SQL_FOLDER, OTHERWISE, "view").glob("*/*.sql"))
    return {f"{file.parent.name}.{file.stem}": file.read_text(encoding="utf-8") for file in files}


def work_columns() -> dict[str, str]:
    """Return the columns of each table of `WORK`, as SQL: those with which the loads make it."""
    texts = {
        path.stem: (said_otherwise(path.relative_to(SQL_FOLDER).as_posix()) or path).read_text(encoding="utf-8")
        for path in Path(SQL_FOLDER, "batch").glob("**/*.sql")
    }
    made = dict(match for text in texts.values() for match in MAKING.findall(text))
    return {table: made[table] for table in WORK}


def layout_digest() -> str:
    """Return what tells one list from another: it stands in the warehouse that was distributed by it."""
    return hashlib.sha256(
        repr((sorted(DISTRIBUTED.items()), sorted(WORK.items()), work_columns())).encode()
    ).hexdigest()[:16]


def order_key(object_id: int) -> str:
    """Return what `dds.hash_key(object_id::text)` returns, as the text of a uuid."""
    text = str(object_id)
    return hashlib.md5(f"{len(text)}:{text}".encode(), usedforsecurity=False).hexdigest()
