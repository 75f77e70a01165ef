"""Databases of a test's own, as the migrations make them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from harness.pipeline import Pipeline

REPO = Path(__file__).resolve().parents[2]


@contextmanager
def scratch_database(pipeline: Pipeline, name: str, revision: str = "head") -> Iterator[str]:
    """Create a database as the migrations up to `revision` leave it; yield the URL for its owner; drop it at the end."""
    database = sql.Identifier(name)
    with psycopg.connect(pipeline.env["DWH_ADMIN_URL"], autocommit=True) as admin:
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(database))
        admin.execute(sql.SQL("create database {} owner dwh_owner encoding 'UTF8' template template0").format(database))
        url = of_database(pipeline.env["DWH_URL"], name)
        migrate(url, revision)
        yield url
        admin.execute(sql.SQL("drop database {} with (force)").format(database))


def of_database(url: str, name: str) -> str:
    """Return the URL of another database of the same server, for the same role."""
    return url.rsplit("/", 1)[0] + "/" + name


def migrate(url: str, revision: str = "head") -> None:
    """Apply the migrations up to a revision."""
    command = [sys.executable, "-m", "alembic", "upgrade", revision]
    subprocess.run(command, env=os.environ | {"DWH_URL": url}, cwd=REPO, check=True, capture_output=True)
