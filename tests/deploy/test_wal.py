"""Back to a moment, with a real server: its archive_command, a base backup, and what PostgreSQL recovers from them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from deploy import wal
from deploy.bucket import Bucket
from local.services.postgres import OUTSIDE, UNPRIVILEGED_UID
from local.stack import Stack
from local.state import HOST
from tests.programs import free_port

REPO = Path(__file__).resolve().parents[2]
UID = UNPRIVILEGED_UID if os.getuid() == 0 else None


@pytest.fixture
def programs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PostgreSQL's programs, on PATH, where the server's user reaches them."""
    folder: Path = stack._services["postgres"]._programs()  # type: ignore[attr-defined]
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def place(programs: Path) -> Iterator[Path]:
    """A folder that the server's user reaches: `data`, `wal`, and the scripts as the chart lays them beside age."""
    folder = OUTSIDE / f"guest-tags-wal-{uuid4().hex[:12]}"
    for name in ("", "wal", "tools"):
        (folder / name).mkdir(mode=0o755)
    shutil.copy(REPO / "deploy" / "archive_wal.sh", folder / "tools")
    if UID:
        os.chown(folder, UID, UID)
        os.chown(folder / "wal", UID, UID)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, Path]:
    file = tmp_path / "identity.txt"
    subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", file], check=True, capture_output=True, text=True).stdout.strip()
    return public, file


def env_of(place: Path, public: str, port: int = 0) -> dict[str, str]:
    return {
        "WAL_URL": f"postgresql://postgres@{HOST}:{port}/postgres",
        "WAL_FOLDER": str(place / "wal"),
        "BACKUP_AGE_RECIPIENTS": public,
    }


@contextmanager
def server(programs: Path, data: Path, port: int, env: dict[str, str], *options: str) -> Iterator[psycopg.Connection]:
    """A server on a data folder, with somebody who is connected to it."""
    settings = [f"-clisten_addresses={HOST}", "-cunix_socket_directories=", f"-cport={port}", *options]
    as_user = {"user": UID, "group": UID, "extra_groups": []} if UID else {}
    with (data.parent / f"{data.name}.log").open("a") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *settings],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **env},
            cwd=data,
            stdout=log,
            stderr=log,
            **as_user,  # type: ignore[call-overload]
        )
        try:
            connection = connected(process, port, data)
            yield connection
            connection.close()
        finally:
            process.terminate()
            process.wait(60)


def connected(process: "subprocess.Popen[bytes]", port: int, data: Path) -> psycopg.Connection:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = psycopg.connect(f"postgresql://postgres@{HOST}:{port}/postgres", autocommit=True)
            if connection.execute("select pg_is_in_recovery()").fetchone() == (False,):
                return connection
            connection.close()
        except psycopg.OperationalError:
            pass
        assert process.poll() is None, (data.parent / f"{data.name}.log").read_text()[-2000:]
        assert time.monotonic() < deadline, "the server is not there"
        time.sleep(0.1)


def test_a_row_that_was_deleted_comes_back_as_of_the_moment_before(
    programs: Path, place: Path, keys: tuple[str, Path], s3: dict[str, str], bucket: Bucket
) -> None:
    port, public, identity = free_port(), *keys
    data, env = place / "data", env_of(place, public, port) | s3
    initdb = [
        programs / "initdb",
        "-D",
        data,
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]
    as_user = {"user": UID, "group": UID, "extra_groups": []} if UID else {}
    subprocess.run(initdb, check=True, capture_output=True, cwd=place, env={"LC_ALL": "C.UTF-8"}, **as_user)  # type: ignore[call-overload]
    archive = ["-carchive_mode=on", f"-carchive_command=bash {place}/tools/archive_wal.sh %p %f", "-cfsync=off"]
    with server(programs, data, port, env, *archive) as connection:
        connection.execute("create table orders as select 1 as id")
        wal.keep(env)
        (base,) = wal.bases_among(wal.names_in(place / "wal"))
        connection.execute("insert into orders values (2)")
        ((before,),) = connection.execute("select clock_timestamp()")
        time.sleep(0.01)
        connection.execute("delete from orders")
        ((last,),) = connection.execute("select pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + 60
        while not (place / "wal" / f"wal-{last}.gz.age").exists():
            assert time.monotonic() < deadline, "the segment was not archived"
            time.sleep(0.1)
        wal.keep(env)
    files = [place / "wal" / name for name in wal.names_in(place / "wal")]
    assert len(files) > 2
    assert {path.name.removesuffix(wal.SENT) for path in (place / "wal").iterdir()} == {file.name for file in files}
    assert bucket.sizes() == {file.name: file.stat().st_size for file in files}
    for file in files:
        assert file.read_bytes().startswith(b"age-encryption.org/v1"), file.name
        file.unlink()  # the machine is gone
    target = place / "again"
    arguments = ["recover", "--to", str(target), "--time", before.isoformat(), "--identity", str(identity)]
    assert wal.main(arguments, env) == 0
    assert wal.main(arguments, env) == 1, "nothing is written over"
    segments = [file.stat() for file in (target / wal.UNPACKED).iterdir()]
    assert min(segment.st_size for segment in segments) == 16 * 2**20
    assert min(segment.st_blocks for segment in segments) * 512 < 2**20, "what is hardly begun takes no room"
    if UID:
        subprocess.run(["chown", "-R", f"{UID}:{UID}", target], check=True)
    with server(programs, target, port, env) as connection:
        assert connection.execute("select id from orders order by id").fetchall() == [(1,), (2,)]
        connection.execute("insert into orders values (3)")
    assert base.made <= before


def test_a_segment_that_can_not_be_stored_is_kept_by_the_server_and_leaves_no_whole_file(
    place: Path, keys: tuple[str, Path]
) -> None:
    segment = place / "segment"
    segment.write_bytes(b"x" * 1000)
    command = ["bash", place / "tools" / "archive_wal.sh", segment, "0" * 24]
    env = os.environ | env_of(place, keys[0])
    assert subprocess.run(command, env=env | {"BACKUP_AGE_RECIPIENTS": "age1nonsense"}, check=False).returncode
    assert wal.names_in(place / "wal") == []
    for _ in range(2):  # after a crash the server may ask again
        subprocess.run(command, env=env, check=True)
        assert wal.names_in(place / "wal") == [f"wal-{'0' * 24}.gz.age"]


def test_it_ends_when_it_is_told_to(place: Path, keys: tuple[str, Path]) -> None:
    # Nobody answers: it says so, and tries again in a minute. A process without a handler of its own would end by the signal.
    env = os.environ | env_of(place, keys[0], free_port())
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.wal", "keep"], cwd=REPO, env=env, stdout=subprocess.PIPE
    ) as keeping:
        assert keeping.stdout
        assert b"refused" in keeping.stdout.readline()
        keeping.terminate()
        assert keeping.wait(60) == 0


def test_what_no_moment_of_the_last_days_needs_is_over() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)

    def base(days_ago: int, segment: int) -> str:
        return f"base-{(now - timedelta(days=days_ago)).strftime(wal.STAMP_FORMAT)}-{segment:024X}.tar.gz.age"

    segments = [f"wal-{n:024X}.gz.age" for n in range(12)]
    names = [base(20, 1), base(13, 4), base(6, 8), *segments, "wal-00000002.history.gz.age"]
    # A moment seven days ago needs the base backup of 13 days ago, and the log since.
    assert wal.over(names, now - timedelta(days=7)) == [base(20, 1), *segments[:4]]
    assert wal.over([base(20, 1), *segments], now - timedelta(days=7)) == [segments[0]]
    assert wal.over(segments, now) == []


def test_a_moment_before_the_first_base_backup_is_refused(
    place: Path, keys: tuple[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    arguments = ["recover", "--to", str(place / "x"), "--time", "2020-01-01T00:00:00+00:00", "--identity", str(keys[1])]
    assert wal.main(arguments, env_of(place, keys[0])) == 1
    assert "there is no base backup of before 2020-01-01" in caplog.text
