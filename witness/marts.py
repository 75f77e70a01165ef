"""What the marts of a warehouse hold, by the sources' ids and in the form of `witness.model`: both compare as they are."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

SQL = Path(__file__).with_name("sql")
MARTS = sorted(path.stem for path in SQL.glob("marts/*.sql"))


def rows(connection: psycopg.Connection[Any], name: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query of `witness/sql`."""
    return connection.execute((SQL / f"{name}.sql").read_bytes(), parameters or None).fetchall()


def mart(connection: psycopg.Connection[Any], name: str) -> dict[tuple[str, str], Any]:
    """Return {(user id, what is counted): value} by the first two columns of the mart's query; several values are a tuple."""
    found = rows(connection, f"marts/{name}")
    return {(user, what): values[0] if len(values) == 1 else tuple(values) for user, what, *values in found}


def clock(connection: psycopg.Connection[Any]) -> datetime | None:
    """Return the moment as of which the tags stand; None where none has been judged yet."""
    found = rows(connection, "clock")
    return found[0][0] if found else None


def rules(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Return the rules in force, as `Model.add_rule` takes them."""
    return rows(connection, "rules")
