"""An export killed at any of its steps, and run again, leaves the files and the tables of an undisturbed one."""

import logging
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.pipeline import SQL, Pipeline
from tests.crash.child import Children, kill_points
from tests.messages import order, restaurant, user
from warehouse.audiences import DEFAULTS, apply_audiences
from warehouse.export import Asked, Audience, export_audience
from warehouse.export_files import ExportFiles
from warehouse.session import Session

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
FANS = Audience("fans", "mail", "phone_sha256", "own", 0, 30)
TABLES = ("audience_exports", "audience_export_rows", "audience_members", "audience_member_changes")


def export(root: str) -> None:
    """Hand the audience over, in a connection of this process."""
    with psycopg.connect(os.environ["DWH_ETL_URL"], autocommit=True) as connection:
        session = Session(connection, SQL, log=logging.getLogger("export"))
        export_audience(session, ExportFiles(root), FANS, Asked(), NOW)


def begin(pipeline: Pipeline, root: Path) -> None:
    """Ann has gone to the channel and must go from it, Bob has another phone, Zoe is new."""
    shutil.rmtree(root, ignore_errors=True)
    pipeline.clear()
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1, user="ann"), order(2, user="bob")])
    pipeline.refer([("user", name, user(name, phone=f"8999000000{n}")) for n, name in enumerate(("ann", "bob"))])
    pipeline.load(NOW)
    with pipeline.session.transaction():
        fans = {"audience": "fans", "channel": "mail", "include_tags": ["fan"], "identifier": FANS.identifier}
        more = {"format": "own", "requires_consent": False, "salt": "s"}
        apply_audiences(pipeline.session, [{**DEFAULTS, **fans, **more}])
    export(str(root))
    pipeline.owner.execute(
        "insert into cdm.suppressions (kind, value, channel, reason, since, made_by, made_dt)"
        " values ('guest', 'ann', '*', 'left', '2026-03-01', 'test', '2026-03-10 12:00:00Z')"
    )
    pipeline.stage([order(3, user="zoe")])
    changed = {"zoe": "89990000003", "bob": "89990000004"}
    pipeline.refer(
        [("user", name, user(name, phone=phone, update_ts="2026-01-02 12:00:00")) for name, phone in changed.items()]
    )
    pipeline.load(NOW)


def rows(pipeline: Pipeline) -> dict[str, str]:
    return {table: pipeline.value(f"select jsonb_agg(t)::text from cdm.{table} as t") for table in TABLES}


def put_back(pipeline: Pipeline, root: Path, kept: Path, stored: dict[str, str]) -> None:
    shutil.rmtree(root)
    shutil.copytree(kept, root)
    pipeline.owner.execute(f"truncate {', '.join(f'cdm.{table}' for table in TABLES)}")
    for table, told in stored.items():
        restored = f"insert into cdm.{table} select * from jsonb_populate_recordset(null::cdm.{table}, %s)"
        pipeline.owner.execute(restored, [told or "[]"])


def content(pipeline: Pipeline, root: Path) -> dict[str, Any]:
    """Return all that an export leaves: every file, every row."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.glob("**/*") if path.is_file()}
    return files | {table: sorted(map(str, pipeline.rows(f"select * from cdm.{table}"))) for table in TABLES}


@pytest.mark.timeout(600)
def test_an_export_killed_at_any_step_and_run_again_leaves_the_same_files(
    pipeline: Pipeline, children: Children, tmp_path: Path
) -> None:
    root = tmp_path / "exports"
    begin(pipeline, root)
    before, stored, kept = content(pipeline, root), rows(pipeline), tmp_path / "kept"
    shutil.copytree(root, kept)
    steps = children.run(export, str(root))
    undisturbed = content(pipeline, root)
    assert sorted(name for name in undisturbed if name.startswith("fans/000002/")) == [
        *("fans/000002/add.csv", "fans/000002/manifest.json", "fans/000002/remove.csv"),
    ]
    assert len(steps) > 25
    assert {step for step in steps if "file" in step} >= {"before the file add.csv", "after the file manifest.json"}
    for number, name in kill_points(steps):
        put_back(pipeline, root, kept, stored)
        assert content(pipeline, root) == before
        assert children.run(export, str(root), die_at=number) == steps[:number]
        export(str(root))
        assert content(pipeline, root) == undisturbed, f"after a death at step {number}, {name}"
