"""Backups with real parts: PostgreSQL and its tools, age, a volume that is full, an S3 that checks signatures."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deploy import backup
from harness.pipeline import Pipeline
from harness.runs import drain, rebuild_run
from local.services.postgres import find_programs
from tests.messages import order, restaurant, user
from tests.waiting import wait_for

REPO = Path(__file__).resolve().parents[2]
RESTORED = "restored"
MIB = 2**20


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    """Two pairs of keys: (public, the file of the private one)."""
    folder = tmp_path_factory.mktemp("keys")
    files = [folder / "people.txt", folder / "test.txt"]
    for file in files:
        subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
    return [(re.findall(r"age1\w+", file.read_text())[0], file) for file in files]


@pytest.fixture
def env(
    pipeline: Pipeline, keys: list[tuple[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """What a backup is told; Airflow's database has a table, as if it were in use."""
    monkeypatch.setenv("PATH", f"{find_programs()}:{os.environ['PATH']}")
    for name, value in pipeline.env.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)
    folder = tmp_path / "backup"
    folder.mkdir()
    airflow = make_conninfo(pipeline.env["DWH_ADMIN_URL"], dbname="airflow")
    with psycopg.connect(airflow, autocommit=True) as metadata:
        metadata.execute("create table kept_run as select 'minute' as run_id")
        yield {
            "DWH_URL": pipeline.env["DWH_URL"],
            "AIRFLOW_METADATA_URL": airflow,
            "BACKUP_FOLDER": str(folder),
            "BACKUP_AGE_RECIPIENTS": " ".join(public for public, _ in keys),
            "BACKUP_AGE_IDENTITY": keys[1][1].read_text(),
        }
        metadata.execute("drop table kept_run")


@pytest.fixture
def restored(pipeline: Pipeline) -> Iterator[dict[str, str]]:
    """An empty database on the server, as the environment of whoever works there."""
    urls = {name: pipeline.env[name].rsplit("/", 1)[0] + f"/{RESTORED}" for name in ("DWH_URL", "DWH_ETL_URL")}
    connection = json.loads(pipeline.env["AIRFLOW_CONN_POSTGRES_DWH"]) | {"schema": RESTORED}
    with psycopg.connect(pipeline.env["DWH_ADMIN_URL"], autocommit=True) as server:
        server.execute(f"drop database if exists {RESTORED} with (force)")
        server.execute(f"create database {RESTORED} owner dwh_owner")
        yield {**pipeline.env, **urls, "AIRFLOW_CONN_POSTGRES_DWH": json.dumps(connection)}
        server.execute(f"drop database {RESTORED} with (force)")


@pytest.fixture
def small_volume(tmp_path: Path, env: dict[str, str]) -> Iterator[Callable[[str], None]]:
    """Puts the folder of the dumps on a volume of 1 MiB; the function gives it another size."""
    folder = env["BACKUP_FOLDER"]
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine lets us make no volume: {done.stderr.strip()}")

    def resize(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)

    yield resize
    subprocess.run(["umount", folder], check=True)


def files_of(env: Mapping[str, str]) -> list[str]:
    """Return the names of what lies in the folder, without the lock."""
    return sorted(path.name for path in Path(env["BACKUP_FOLDER"]).iterdir() if path.name != ".lock")


def tries(pipeline: Pipeline, kind: str = "dump") -> list[tuple[bool, str]]:
    """Return (is it good, what was wrong) of each try."""
    return pipeline.rows("select is_good, detail from stg.backups where kind = %s order by id", [kind])


def fill(pipeline: Pipeline, mib: int) -> None:
    """Store what no compression makes smaller."""
    for offset in range(mib):
        pipeline.owner.execute(
            """
            insert into stg.dead_letters
                (value_hash, raw, topic, "partition", "offset", reason, detail, attempts, load_dt, attempt_dt)
            values (gen_random_uuid(), %s, 't', 0, %s, 'invalid_json', '', 1, now(), now())
            """,
            [os.urandom(MIB), offset],
        )


def age_by_days(env: Mapping[str, str], days: int) -> list[str]:
    """Make the dumps of the folder look as if made days ago; return their new names."""
    names = []
    for file in backup.dumps_in(Path(env["BACKUP_FOLDER"])):
        moment = (file.made - backup.timedelta(days=days)).strftime(backup.STAMP_FORMAT)
        names.append(file.path.rename(file.path.with_name(file.path.name.replace(file.stamp, moment))).name)
    return sorted(names)


def some_orders(pipeline: Pipeline, count: int = 20) -> None:
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), ("user", "guest", user())])
    pipeline.stage([order(n, "CLOSED", dishes=("pizza",)) for n in range(count)])
    pipeline.load()


# --- a dump ----------------------------------------------------------------------------------------------------------


def test_a_dump_holds_both_databases_and_nobody_reads_it_without_a_key(
    pipeline: Pipeline,
    env: dict[str, str],
    keys: list[tuple[str, Path]],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    some_orders(pipeline)
    assert backup.main(["dump"], env) == 0
    airflow, dwh = files_of(env)
    assert airflow.startswith("airflow-")
    assert dwh.startswith("dwh-")
    for name in (airflow, dwh):
        text = (Path(env["BACKUP_FOLDER"]) / name).read_bytes()
        assert text.startswith(b"age-encryption.org/v1")
        assert b"PGDMP" not in text
        assert b"order_event_log" not in text
    ((good, detail, messages, size),) = pipeline.rows("select is_good, detail, messages, bytes from stg.backups")
    assert (good, detail, messages) == (True, "", 20)
    assert size == sum((Path(env["BACKUP_FOLDER"]) / name).stat().st_size for name in (airflow, dwh))
    for _, file in keys:
        assert backup.main(["verify", "newest", "--identity", str(file)], env) == 0
        assert backup.main(["verify", "newest", "--identity", str(file), "--database", "airflow"], env) == 0
    assert backup.main(["verify", "newest"], env | {"BACKUP_AGE_IDENTITY": ""}) == 1
    assert "no key" in caplog.text
    assert backup.main(["list"], env) == 0
    assert dwh in capsys.readouterr().out


def test_no_password_stands_among_the_arguments_of_a_program(env: dict[str, str]) -> None:
    address, password = backup.without_password(env["DWH_URL"])
    assert password
    assert password not in address
    psycopg.connect(make_conninfo(address, password=password)).close()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"BACKUP_AGE_RECIPIENTS": ""}, "BACKUP_AGE_RECIPIENTS is not set"),
        ({"BACKUP_AGE_RECIPIENTS": "age1nonsense"}, "age ended with 1"),
        ({"AIRFLOW_METADATA_URL": "postgresql://airflow:x@127.0.0.1:1/airflow"}, "airflow: connection failed"),
        ({"BACKUP_S3_URL": "http://127.0.0.1:1/dumps"}, "BACKUP_S3_REGION, ACCESS_KEY, SECRET_KEY is not set"),
    ],
)
def test_a_try_that_fails_says_why_and_leaves_nothing_unfinished(
    pipeline: Pipeline, env: dict[str, str], caplog: pytest.LogCaptureFixture, change: dict[str, str], word: str
) -> None:
    assert backup.main(["dump"], env | change) == 1
    assert word in caplog.text
    assert all(backup.dumps_among([name]) for name in files_of(env)), "only what is whole"
    ((good, detail),) = tries(pipeline)
    assert not good
    assert word in detail


def test_a_program_that_is_missing_is_named(
    pipeline: Pipeline, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(find_programs()))
    assert backup.main(["dump"], env) == 1
    ((_, detail),) = tries(pipeline)
    assert "age is not on PATH" in detail
    assert files_of(env) == []


def test_a_dump_that_is_far_smaller_than_the_last_is_a_fault_until_somebody_says_that_it_is_right(
    pipeline: Pipeline, env: dict[str, str]
) -> None:
    fill(pipeline, 1)
    assert backup.main(["dump"], env) == 0
    before = age_by_days(env, 1)
    pipeline.owner.execute("truncate stg.dead_letters")
    assert backup.main(["dump"], env) == 1
    assert "less than 50 % of it" in tries(pipeline)[-1][1]
    assert [name for name in files_of(env) if name.startswith("dwh")] == [name for name in before if "dwh" in name]
    assert backup.main(["dump"], env | {"BACKUP_MIN_PERCENT": "0"}) == 0


def test_two_at_once_do_not_remove_each_others_files(pipeline: Pipeline, env: dict[str, str]) -> None:
    with backup.alone_in(Path(env["BACKUP_FOLDER"])):
        assert backup.main(["dump"], env) == 1
    assert "another backup works in" in tries(pipeline)[0][1]


# --- room ------------------------------------------------------------------------------------------------------------


def test_old_dumps_and_leftovers_go_before_the_dump_and_the_last_good_one_never(
    pipeline: Pipeline, env: dict[str, str]
) -> None:
    assert backup.main(["dump"], env) == 0
    age_by_days(env, 10)
    assert backup.main(["dump"], env) == 0
    last = age_by_days(env, 10)[1::2]  # of each database one is 10 days old, one 20: all are over
    (Path(env["BACKUP_FOLDER"]) / "dwh-20200101T000000Z.dump.age.part").touch()
    fails = {"DWH_URL": "postgresql://dwh_owner:x@127.0.0.1:1/dwh", "AIRFLOW_METADATA_URL": ""}
    for _ in range(2):
        assert backup.main(["dump"], env | fails) == 1
        assert files_of(env) == last
    assert backup.main(["dump"], env) == 0
    assert set(last) < set(files_of(env)), "they go with the next try, when a newer one is there"
    assert backup.main(["dump"], env) == 0
    assert not set(last) & set(files_of(env))


def test_a_full_volume_leaves_nothing_keeps_the_last_good_dump_and_recovers(
    pipeline: Pipeline, env: dict[str, str], small_volume: Callable[[str], None]
) -> None:
    assert backup.main(["dump"], env) == 0
    good = files_of(env)
    fill(pipeline, 2)
    time.sleep(1)  # a stamp is a second
    assert backup.main(["dump"], env | {"AIRFLOW_METADATA_URL": ""}) == 1
    assert files_of(env) == good
    assert tries(pipeline)[0] == (True, "")
    assert tries(pipeline)[1][0] is False
    assert "no space left on device" in tries(pipeline)[1][1]
    assert backup.main(["verify", "newest"], env) == 0
    small_volume("8m")
    assert backup.main(["dump"], env) == 0
    assert tries(pipeline)[2] == (True, "")


def test_where_the_next_dump_would_not_fit_the_oldest_go_until_it_does(
    pipeline: Pipeline, env: dict[str, str], small_volume: Callable[[str], None]
) -> None:
    small_volume("4m")
    fill(pipeline, 1)
    env["AIRFLOW_METADATA_URL"] = ""
    for day in range(5):
        assert backup.main(["dump"], env) == 0, tries(pipeline)
        if day < 4:
            age_by_days(env, 1)
    assert all(good for good, _ in tries(pipeline))
    assert 1 < len(files_of(env)) < 4, "more than a megabyte each, on a volume of four"


# --- beside the loads ------------------------------------------------------------------------------------------------


def test_a_dump_beside_a_rebuild_is_whole(pipeline: Pipeline, env: dict[str, str]) -> None:
    some_orders(pipeline)
    waiting = "select count(*) from pg_locks where locktype = 'relation' and not granted"
    codes: list[int] = []
    rebuilding = threading.Thread(target=rebuild_run)
    dumping = threading.Thread(target=lambda: codes.append(backup.main(["dump"], env)))
    with psycopg.connect(pipeline.env["DWH_ADMIN_URL"].rsplit("/", 1)[0] + "/dwh") as stranger:
        stranger.execute("lock table dds.es_product_category in share mode")  # the vault is emptied, or nearly
        rebuilding.start()
        wait_for(lambda: pipeline.value(waiting) == 1)
        dumping.start()
        wait_for(lambda: pipeline.value(waiting) == 2)
        stranger.rollback()
    rebuilding.join()
    dumping.join()
    assert codes == [0], tries(pipeline)
    assert backup.main(["test"], env) == 0, tries(pipeline, "restore")


# --- a restore -------------------------------------------------------------------------------------------------------


def test_a_restored_dump_is_made_whole_by_the_next_run(
    pipeline: Pipeline,
    env: dict[str, str],
    restored: dict[str, str],
    keys: list[tuple[str, Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = pipeline.topic()
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), ("user", "guest", user())])
    pipeline.produce(topic, [order(n, "CLOSED", dishes=("pizza",)) for n in range(20)])
    drain(topic)
    pipeline.load()
    assert backup.main(["dump"], env) == 0
    pipeline.produce(topic, [order(n, "CLOSED", dishes=("pizza",)) for n in range(20, 50)])
    drain(topic)  # the group is now ahead of the dump
    pipeline.load()
    command = [sys.executable, "-m", "deploy.backup", "restore", "newest", "--identity", "-"]  # docs/deploy.md
    with keys[0][1].open() as identity:
        target = os.environ | env | {"DWH_URL": restored["DWH_URL"], "BACKUP_AGE_IDENTITY": ""}
        subprocess.run(command, env=target, cwd=REPO, stdin=identity, check=True)
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DWH", restored["AIRFLOW_CONN_POSTGRES_DWH"])
    with Pipeline(restored) as there:
        assert there.value("select count(*) from stg.order_event_log") == 20
        assert drain(topic)["messages"] == 30
        there.load()
        assert there.user_product_counters() == pipeline.user_product_counters()
        assert there.value("select count(*) from stg.order_event_log") == 50


def test_airflows_metadata_comes_back(pipeline: Pipeline, env: dict[str, str]) -> None:
    assert backup.main(["dump"], env) == 0
    with psycopg.connect(env["AIRFLOW_METADATA_URL"], autocommit=True) as metadata:
        metadata.execute("update kept_run set run_id = 'lost'")
        assert backup.main(["restore", "newest", "--database", "airflow"], env) == 0
        assert metadata.execute("select run_id from kept_run").fetchall() == [("minute",)]


def test_a_restore_leaves_nothing_newer_beside_it_and_a_damaged_dump_leaves_all_as_it_was(
    pipeline: Pipeline, env: dict[str, str], restored: dict[str, str]
) -> None:
    some_orders(pipeline)
    assert backup.main(["dump"], env) == 0
    target = env | {"DWH_URL": restored["DWH_URL"]}
    assert backup.main(["restore", "newest"], target) == 0
    with Pipeline(restored) as there:
        before = there.snapshot(hide=())
        there.owner.execute("create view cdm.v_of_a_later_release as select id from stg.order_events")
        there.owner.execute("delete from cdm.user_product_counters")
        assert backup.main(["restore", "newest"], target) == 0
        assert there.snapshot(hide=()) == before
        (dump,) = Path(env["BACKUP_FOLDER"]).glob("dwh-*")
        for damaged in (dump.read_bytes()[:-70_000], dump.read_bytes()[:-20], dump.read_bytes()[:-1] + b"x"):
            there.owner.execute("create table cdm.mine as select 1")
            dump.write_bytes(damaged)
            assert backup.main(["verify", "newest"], env) == 1
            assert backup.main(["restore", "newest"], target) == 1
            assert there.value("select count(*) from cdm.mine") == 1
            there.owner.execute("drop table cdm.mine")
            assert there.snapshot(hide=()) == before


# --- the weekly test ---------------------------------------------------------------------------------------------------


def databases(pipeline: Pipeline) -> set[str]:
    return {name for (name,) in pipeline.rows("select datname from pg_database")}


def test_a_good_dump_passes_its_test_and_leaves_no_scratch_database(pipeline: Pipeline, env: dict[str, str]) -> None:
    some_orders(pipeline)
    before = databases(pipeline)
    assert backup.main(["dump"], env) == 0
    assert backup.main(["test"], env) == 0
    assert tries(pipeline, "restore") == [(True, "")]
    assert pipeline.value("select messages from stg.backups where kind = 'restore'") == 20
    assert databases(pipeline) == before


def test_what_is_wrong_outside_of_the_data_is_no_fault_of_a_dump(pipeline: Pipeline, env: dict[str, str]) -> None:
    some_orders(pipeline)
    pipeline.stage([order(77)])
    pipeline.owner.execute("update stg.load_queue set load_dt = '2020-01-01'")
    pipeline.owner.execute(
        """
        insert into stg.lost_messages (topic, topic_id, "partition", from_offset, to_offset, noticed_dt)
        values ('t', 'i', 0, 3, 8, now());
        insert into stg.backups (kind, stamp, seconds, is_good, detail) values ('restore', 'x', 1, false, 'no key')
        """
    )
    assert backup.main(["dump"], env) == 0
    assert backup.main(["test"], env) == 0, tries(pipeline, "restore")


def test_a_dump_in_which_a_law_is_broken_fails_its_test(pipeline: Pipeline, env: dict[str, str]) -> None:
    some_orders(pipeline)
    pipeline.owner.execute("update cdm.user_product_counters set order_cnt = order_cnt + 1")
    assert backup.main(["dump"], env) == 0
    assert backup.main(["test"], env) == 1
    ((good, detail),) = tries(pipeline, "restore")
    assert not good
    assert "broken: cdm.user_product_counters.source (1 rows)" in detail
    assert backup.SCRATCH not in databases(pipeline)


def test_a_dump_that_lacks_messages_fails_its_test(pipeline: Pipeline, env: dict[str, str]) -> None:
    assert backup.main(["dump"], env) == 0  # an empty warehouse breaks no law
    pipeline.owner.execute("update stg.backups set messages = 20")
    assert backup.main(["test"], env) == 1
    assert tries(pipeline, "restore")[0][1] == "0 messages, and 20 when it was dumped"


def test_a_dump_that_is_damaged_where_it_lies_fails_its_test(pipeline: Pipeline, env: dict[str, str]) -> None:
    some_orders(pipeline)
    assert backup.main(["dump"], env) == 0
    (dump,) = Path(env["BACKUP_FOLDER"]).glob("dwh-*")
    text = bytearray(dump.read_bytes())
    text[len(text) // 2] ^= 1
    dump.write_bytes(text)
    assert backup.main(["test"], env) == 1
    assert "was not restored" in tries(pipeline, "restore")[0][1]
    assert backup.SCRATCH not in databases(pipeline)


def test_the_scratch_database_goes_though_autovacuum_is_in_it(pipeline: Pipeline) -> None:
    is_there = "select exists (select from pg_stat_activity where datname = %s and backend_type = 'autovacuum worker')"
    with psycopg.connect(pipeline.env["DWH_ADMIN_URL"], autocommit=True) as admin:
        admin.execute("alter system set autovacuum_naptime = '1s'")
        admin.execute("select pg_reload_conf()")
        try:
            with backup.scratch_database(pipeline.env["DWH_URL"]) as url:
                with psycopg.connect(url, autocommit=True) as scratch:
                    scratch.execute(
                        "create table much as select n, repeat('x', 300) from generate_series(1, 400000) as n"
                    )
                    scratch.execute("delete from much where n % 2 = 0")
                wait_for(lambda: admin.execute(is_there, [backup.SCRATCH]).fetchone() == (True,))
        finally:
            admin.execute("alter system reset autovacuum_naptime")
            admin.execute("select pg_reload_conf()")
        assert admin.execute("select from pg_database where datname = %s", [backup.SCRATCH]).fetchone() is None


# --- the bucket --------------------------------------------------------------------------------------------------------


def test_a_bucket_gets_the_dumps_and_gives_them_to_a_machine_that_has_none(
    pipeline: Pipeline, env: dict[str, str], s3: dict[str, str], bucket: backup.Bucket, restored: dict[str, str]
) -> None:
    some_orders(pipeline)
    assert backup.main(["dump"], env | s3) == 0, tries(pipeline)
    folder = Path(env["BACKUP_FOLDER"])
    assert bucket.sizes() == {name: (folder / name).stat().st_size for name in files_of(env)}
    shutil.rmtree(folder)
    folder.mkdir()
    assert backup.main(["test"], env | s3) == 0, tries(pipeline, "restore")
    (fetched,) = files_of(env)
    (folder / fetched).unlink()
    stamp = backup.dumps_among([fetched])[0].stamp
    assert backup.main(["restore", stamp], env | s3 | {"DWH_URL": restored["DWH_URL"]}) == 0
    with Pipeline(restored) as there:
        assert there.user_product_counters() == pipeline.user_product_counters()


def test_old_dumps_go_from_the_bucket_when_a_newer_one_is_there(
    pipeline: Pipeline, env: dict[str, str], s3: dict[str, str], bucket: backup.Bucket
) -> None:
    assert backup.main(["dump"], env) == 0
    old = age_by_days(env, 10)
    for name in old:
        bucket.put(Path(env["BACKUP_FOLDER"]) / name)
    other = Path(env["BACKUP_FOLDER"]) / "dwh-notes.txt"
    other.write_text("somebody else's")
    bucket.put(other)
    fails = {"DWH_URL": "postgresql://dwh_owner:x@127.0.0.1:1/dwh", "AIRFLOW_METADATA_URL": ""}
    assert backup.main(["dump"], env | s3 | fails) == 1
    assert set(old) < set(bucket.sizes())
    assert backup.main(["dump"], env | s3) == 0, tries(pipeline)
    assert len(bucket.sizes()) == 3
    assert not set(old) & set(bucket.sizes())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"SECRET_KEY": "wrong"}, "signature"),
        ({"BACKUP_S3_URL": "/nowhere"}, "404"),
        ({"BACKUP_S3_URL": "http://127.0.0.1:1/dumps"}, "connect"),
    ],
)
def test_a_bucket_that_does_not_take_a_dump_fails_the_try_and_the_volume_keeps_it(
    pipeline: Pipeline, env: dict[str, str], s3: dict[str, str], change: dict[str, str], word: str
) -> None:
    changed = {name: s3[name].replace("/dumps", value) if value[0] == "/" else value for name, value in change.items()}
    assert backup.main(["dump"], env | s3 | changed) == 1
    ((good, detail),) = tries(pipeline)
    assert not good
    assert word in detail.lower()
    assert s3["SECRET_KEY"] not in detail
    assert len(files_of(env)) == 2


def test_a_bucket_tells_of_more_than_a_page(
    bucket: backup.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.bucket.PAGE", 2)
    for n in range(5):
        file = tmp_path / f"wal-{n}"
        file.write_bytes(b"x" * n)
        bucket.put(file)
    assert bucket.sizes("wal-") == {f"wal-{n}": n for n in range(5)}
    assert bucket.sizes("dwh-") == {}


def test_a_bucket_that_kept_only_a_part_is_noticed(
    bucket: backup.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dwh-20260101T000000Z.dump.age"
    file.write_bytes(b"x" * 100)
    monkeypatch.setattr(backup.Bucket, "sizes", lambda self, prefix: {file.name: 99})
    with pytest.raises(backup.BucketError, match="100 bytes, the bucket holds 99"):
        bucket.put(file)
