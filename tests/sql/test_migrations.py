"""Migrations beside what goes on meanwhile: loads, rebuilds, readers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from harness.pipeline import Pipeline
from tests.sql.scratch import migrate, scratch_database
from tests.waiting import wait_for
from warehouse.staging import Document, content_hash, refusal_hash

REPO = Path(__file__).resolve().parents[2]
OLD = "dwh_0007"
# 0008 alters this table.
ALTERED = "stg.load_queue"
HEAD = max(path.name[:4] for path in (REPO / "migrations/versions").glob("*.py"))


@pytest.fixture
def old_url(pipeline: Pipeline) -> Iterator[str]:
    """The URL, for its owner, of a database as migration 0007 has left it."""
    with scratch_database(pipeline, OLD, "0007") as url:
        yield url


@contextmanager
def migration(url: str, revision: str = "head", **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a migration; it is gone at the end."""
    command = [sys.executable, "-m", "alembic", "upgrade", revision]
    env = os.environ | {"DWH_URL": url, "MIGRATION_LOCK_TIMEOUT_S": "0.3"} | variables
    process = subprocess.Popen(command, env=env, cwd=REPO, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def queued_for_tables(url: str) -> int:
    """Return how many sessions stand in the queue of a table, where everybody who comes after an ALTER stands behind it."""
    query = "select count(*) from pg_locks where locktype = 'relation' and not granted"
    with psycopg.connect(url) as connection:
        ((waiting,),) = connection.execute(query)
        return waiting


def revision_of(url: str) -> str:
    with psycopg.connect(url) as connection:
        ((revision,),) = connection.execute("select version_num from migration.alembic_version")
        return revision


def test_a_migration_waits_for_a_rebuild_where_nobody_waits_behind_it(old_url: str) -> None:
    with psycopg.connect(old_url) as rebuild, migration(old_url) as process:
        rebuild.execute("select pg_advisory_xact_lock(hashtext('dwh.cdm'))")
        rebuild.execute(f"lock table {ALTERED} in row exclusive mode")
        tries = 0
        while tries < 2:
            assert process.stderr
            tries += "in the way" in process.stderr.readline()
            assert queued_for_tables(old_url) == 0
        assert revision_of(old_url) == "0007"
        rebuild.commit()
        assert process.wait(60) == 0
    assert revision_of(old_url) == HEAD


def test_a_reader_of_an_altered_table_lets_no_other_reader_wait_for_its_end(old_url: str) -> None:
    with psycopg.connect(old_url) as reader, migration(old_url) as process:
        reader.execute(f"select count(*) from {ALTERED}")  # and the transaction stays open
        wait_for(lambda: queued_for_tables(old_url))
        with psycopg.connect(old_url) as other:
            assert other.execute(f"select count(*) from {ALTERED}").fetchone() == (0,)
        assert process.poll() is None
        reader.commit()
        assert process.wait(60) == 0
    assert revision_of(old_url) == HEAD


def test_a_migration_that_finds_no_free_moment_ends_and_says_so(old_url: str) -> None:
    with psycopg.connect(old_url) as reader, migration(old_url, MIGRATION_WAIT_S="0") as process:
        reader.execute(f"select count(*) from {ALTERED}")
        _, said = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "found no free moment" in said
        assert revision_of(old_url) == "0007"


def test_two_migrations_at_once_take_turns(old_url: str) -> None:
    with migration(old_url) as one, migration(old_url) as other:
        assert [one.wait(120), other.wait(120)] == [0, 0]
    assert revision_of(old_url) == HEAD


def letter(url: str, key: str, raw: bytes | None, topic: str = "redis") -> None:
    """Put a letter into stg.dead_letters, as releases before 0036 did."""
    identity = refusal_hash(Document("user", key, raw or b""))
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into stg.dead_letters"
            " (value_hash, raw, topic, message_key, reason, detail, attempts, load_dt, attempt_dt)"
            " values (%s, %s, %s, %s, 'wrong_document', 'it says _id=secret', 1, now(), now())",
            [identity, raw, topic, key.encode()],
        )


def test_old_letters_lose_documents_that_nobody_asked_for_and_keep_the_others(pipeline: Pipeline) -> None:
    foreign = (
        *(b'{"_id": "other", "token": "secret"}', b'{"token": "secret"}', b'{"_id": 5}', b'["secret"]', b'"_id"'),
        *(b"secret", b"\xff\xfe", b"", b"[" * 200_000, b'{"_id": "key", "_id": "other"}', b'{"_id": null}'),
    )
    own = (
        b'{"_id": "key", "update_ts_utc": "never"}',
        b'{"_id": "other", "_id": "\\u006bey"}',
        b'{"_id": "key", "name": "\\u0000"}',
    )
    with scratch_database(pipeline, "dwh_0035", "0035") as url:
        for raw in (*foreign, *own):
            letter(url, "key", raw)
        letter(url, "unread", None)
        letter(url, "message", b"secret", topic="orders")
        migrate(url)
        with psycopg.connect(url) as connection:
            letters = connection.execute("select raw, detail, value_hash from stg.dead_letters order by id").fetchall()
    # A document is tried again by the name that it got from what it held.
    names = [refusal_hash(Document("user", "key", raw)) for raw in (*foreign, *own)]
    assert [value_hash.hex for _, _, value_hash in letters[: len(names)]] == names
    gone, kept = letters[: len(foreign)], letters[len(foreign) :]
    assert [raw for raw, _, _ in gone] == [None] * len(foreign)
    for raw, (_, detail, _) in zip(foreign, gone, strict=True):
        assert detail.startswith(f"not kept: {len(raw)} bytes, SHA-256 {content_hash(raw)}"), raw[:40]
    assert [raw for raw, _, _ in kept] == [*own, None, b"secret"]
    assert {detail for _, detail, _ in kept} == {"it says _id=secret"}
