"""What the marts of a warehouse hold, by the sources' ids and in the form of `witness.model`: both compare as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

SQL = Path(__file__).with_name("sql")

UserProduct = tuple[str, str]
UserCategory = tuple[str, str]
UserTag = tuple[str, str]


def rows(connection: psycopg.Connection[Any], name: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query of `witness/sql`."""
    return connection.execute((SQL / f"{name}.sql").read_bytes(), parameters or None).fetchall()


def user_product_counters(connection: psycopg.Connection[Any]) -> dict[UserProduct, tuple[str, int]]:
    """Return {(user id, dish id): (dish name, orders)}."""
    return {(user, dish): (name, count) for user, dish, name, count in rows(connection, "product_counters")}


def user_category_counters(connection: psycopg.Connection[Any]) -> dict[UserCategory, Any]:
    """Return {(user id, category): orders}; (name in the mart, orders) where the mart calls the hub's category otherwise."""
    return {
        (user, category): count if name == category else (name, count)
        for user, category, name, count in rows(connection, "category_counters")
    }


def user_tags(connection: psycopg.Connection[Any]) -> dict[UserTag, tuple[str, int, int]]:
    """Return {(user id, tag): (category, orders, threshold)}."""
    return {
        (user, tag): (category, count, threshold) for user, tag, category, count, threshold in rows(connection, "tags")
    }


def rules(connection: psycopg.Connection[Any]) -> list[tuple[str, str, int]]:
    """Return (tag, category, threshold) of the rules in force."""
    return [(tag, category, threshold) for tag, category, threshold in rows(connection, "rules")]
