"""Dumps of the warehouse and of Airflow's metadata: encrypted, checked, and restored as a test.

The chart, Docker and people with a shell all call this:

    python -m deploy.backup dump              # what the night does
    python -m deploy.backup test              # what the week does: the newest dump into a scratch database, all laws there
    python -m deploy.backup list
    python -m deploy.backup verify STAMP      # reads the dump to its end
    python -m deploy.backup restore STAMP     # replaces the warehouse by what the dump holds; STAMP may be `newest`
    python -m deploy.backup fetch STAMP       # from the bucket into the folder

A dump is a file for each database, `dwh-<stamp>.dump.age`: pg_dump's custom format, encrypted by age before anything is written.
Needs pg_dump, pg_restore, psql, age and, with a bucket, curl on PATH. Environment (docs/deploy.md, "Backup, restore"):

    DWH_URL                  the warehouse, as its owner
    AIRFLOW_METADATA_URL     Airflow's database; without it only the warehouse is dumped
    BACKUP_FOLDER            where dumps lie; /backup
    BACKUP_AGE_RECIPIENTS    the public keys that dumps are encrypted for, separated by blanks
    BACKUP_AGE_IDENTITY      the private key to read one, or `--identity FILE` (`-`: standard input)
    BACKUP_KEEP_DAYS         older dumps go while there is a newer one; 7
    BACKUP_MIN_PERCENT       of the last dump: a smaller one is taken for a fault; 50
    BACKUP_S3_URL, BACKUP_S3_REGION, ACCESS_KEY, SECRET_KEY    a bucket that gets the dumps as well
"""

import argparse
import fcntl
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.bucket import Bucket, BucketError, bucket_of
from deploy.pipes import CHUNK_BYTES, Program, ProgramError, decrypting, pour, running
from warehouse.constants import POSTGRES_LIMITS
from warehouse.laws import RebuildIsOnError, check_laws, read_laws
from warehouse.layers import BACKUPS, TRANSACTION, WHOLE
from warehouse.session import Session
from warehouse.sql_files import read_sql

LOG = logging.getLogger("backup")
WAREHOUSE, AIRFLOW = "dwh", "airflow"
SCRATCH = "dwh_restore_test"
FILE_NAME = re.compile(
    rf"({WAREHOUSE}|{AIRFLOW})-(\d{{8}}T\d{{6}}Z)\.dump(?:\.age)?"
)  # until 2026 they were not encrypted
STAMP_FORMAT = "%Y%m%dT%H%M%SZ"
NEWEST = "newest"
# A new dump may be that much larger than the last one before room for it is made by force.
GROWTH = 1.2
LIMIT_S = 7200
# How long a rebuild of the vault is waited for.
REBUILD_WAIT_S = 600
# They tell of the world outside, or of the backups themselves: no fault of the dump that holds it.
LAWS_OF_THE_WORLD = ("stg.backups.age", "stg.dead_letters.unreadable", "stg.lost_messages")
# In the restored rows nothing is late.
MOMENTS = dict.fromkeys(
    ("queued_before", "checked_before", "dumped_before", "restored_before", "begun_before"), "-infinity"
)
PARAMS = {"lock_timeout_ms": REBUILD_WAIT_S * 1000, **MOMENTS}


class BackupError(Exception):
    """What was asked for was not done; the text says why."""


# What ends a try or a person's command; each is told in a line.
FAULTS = (BackupError, BucketError, ProgramError, RebuildIsOnError, psycopg.Error, OSError)


@dataclass(frozen=True)
class Settings:
    """What the environment says; `urls` by the name of the database, the warehouse first."""

    urls: Mapping[str, str]
    folder: Path
    recipients: tuple[str, ...]
    identity: str
    keep_days: int
    min_percent: int
    env: Mapping[str, str]

    @property
    def bucket(self) -> Bucket | None:
        """The bucket, where one is named. Raises `BucketError` where its keys are missing."""
        return bucket_of(self.env)


@dataclass(frozen=True)
class Dump:
    """A file that is whole: it got its name at the end."""

    database: str
    stamp: str
    path: Path

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size

    @property
    def made(self) -> datetime:
        """When it was begun."""
        return datetime.strptime(self.stamp, STAMP_FORMAT).replace(tzinfo=UTC)


@dataclass
class Try:
    """A try, as `stg.backups` keeps it."""

    kind: str
    stamp: str = ""
    bytes: int | None = None
    messages: int | None = None
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)


# --- the night ---------------------------------------------------------------------------------------------------------


def dump(settings: Settings, made: Try) -> None:
    """Make room, dump each database, put the files into the bucket; what fails costs none of the others."""
    if not settings.recipients:
        raise BackupError("BACKUP_AGE_RECIPIENTS is not set: nothing is written that everybody could read")
    make_room(settings.folder, settings.keep_days)
    made.stamp = datetime.now(UTC).strftime(STAMP_FORMAT)
    files = []
    for database in settings.urls:
        try:
            file, messages = dump_database(settings, database, made.stamp)
        except FAULTS as error:
            made.problems.append(f"{database}: {one_line(error)}")
            continue
        files.append(file)
        made.bytes = (made.bytes or 0) + file.bytes
        made.messages = made.messages if messages is None else messages
    if bucket := settings.bucket:
        fill_bucket(bucket, files, settings.keep_days)


def make_room(folder: Path, keep_days: int) -> None:
    """Remove what an interrupted try has left, and old dumps; more of them where the next would not fit; never the last ones."""
    for part in folder.glob("*.part"):
        LOG.info("removed %s: its try was interrupted", part.name)
        part.unlink()
    spare = [file for file in dumps_in(folder) if file != newest_of(folder, file.database)]
    expired = datetime.now(UTC) - timedelta(days=keep_days)
    needed = GROWTH * sum(file.bytes for name in (WAREHOUSE, AIRFLOW) if (file := newest_of(folder, name)))
    for file in spare:
        if file.made < expired or shutil.disk_usage(folder).free < needed:
            LOG.info("removed %s", file.path.name)
            file.path.unlink()


def dump_database(settings: Settings, database: str, stamp: str) -> tuple[Dump, int | None]:
    """Dump a database into a file that is whole, or leave none; return it, and how many messages the warehouse's holds."""
    target = settings.folder / f"{database}-{stamp}.dump.age"
    part = target.with_name(target.name + ".part")
    last = newest_of(settings.folder, database)
    try:
        # The snapshot lives as long as its transaction.
        with connect(settings.urls[database]) as connection:
            snapshot, messages = whole_snapshot(connection) if database == WAREHOUSE else (None, None)
            tables = set(connection.execute(text_of("ask/backup/tables.sql")))
            with part.open("wb") as file:
                found = write_dump(settings.urls[database], snapshot, settings.recipients, file)
                os.fsync(file.fileno())
        if missing := sorted(f"{schema}.{name}" for schema, name in tables - found):
            raise BackupError(f"the dump lacks {', '.join(missing)}")
        size, least = part.stat().st_size, last.bytes * settings.min_percent / 100 if last else 1
        if size < least:
            raise BackupError(
                f"the dump has {size} bytes, the last one {last.bytes if last else 0}: less than "
                f"{settings.min_percent} % of it. Where that is right: BACKUP_MIN_PERCENT=0"
            )
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    LOG.info("%s: %d bytes, %d tables", target.name, size, len(found))
    return Dump(database, stamp, target), messages


def whole_snapshot(connection: psycopg.Connection[Any]) -> tuple[str, int]:
    """Take a snapshot that no rebuild of the vault can empty, for pg_dump to take over; return it and its number of messages."""
    connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    connection.set_read_only(True)
    try:
        session_of(connection).run([TRANSACTION, WHOLE], PARAMS)
    except psycopg.errors.LockNotAvailable as error:
        raise BackupError(f"the vault is being built again for over {REBUILD_WAIT_S} s (marts_rebuild)") from error
    ((snapshot, messages),) = connection.execute(text_of("ask/backup/snapshot.sql"))
    return snapshot, messages


def write_dump(url: str, snapshot: str | None, recipients: Iterable[str], file: IO[bytes]) -> set[tuple[str, str]]:
    """Write an encrypted dump of a database; return the tables whose rows it holds.

    What goes to age goes to pg_restore, too, which reads it to its end: so the dump is known to be readable, and nobody needs the
    key for that.
    """
    address, password = without_password(url)
    options = ["--format=custom", f"--lock-wait-timeout={REBUILD_WAIT_S * 1000}", f"--dbname={address}"]
    # Rights on what every database has are the bootstrap's: who restores may not give or take them.
    options += ["--exclude-schema=pg_catalog", *([f"--snapshot={snapshot}"] if snapshot else [])]
    with TemporaryFile() as listed, running() as start:
        source = start("pg_dump", *options, stdin=subprocess.DEVNULL, password=password)
        age = start("age", *[f"--recipient={key}" for key in recipients], stdout=file)
        reader = start("pg_restore", "--file=/dev/null")
        lister = start("pg_restore", "--list", stdout=listed)
        programs = (age, source, reader, lister)
        pour(source.stdout, [age.stdin, reader.stdin], early=lister.stdin)
        if failure := next(filter(None, (program.failure() for program in programs)), ""):
            raise BackupError(failure)
        listed.seek(0)
        return set(re.findall(r"^\d+; \d+ \d+ TABLE DATA (\S+) (\S+) ", listed.read().decode(), re.MULTILINE))


def fill_bucket(bucket: Bucket, files: Iterable[Dump], keep_days: int) -> None:
    """Store the files, then remove old ones while a newer is there: a bucket has no end, so the new ones go first."""
    for file in files:
        bucket.put(file.path)
        LOG.info("%s is in the bucket", file.path.name)
    expired = datetime.now(UTC) - timedelta(days=keep_days)
    for database in (WAREHOUSE, AIRFLOW):
        for old in dumps_among(bucket.sizes(f"{database}-"))[:-1]:
            if old.made < expired:
                try:
                    bucket.delete(old.path.name)
                    LOG.info("removed %s from the bucket", old.path.name)
                except BucketError as error:
                    # Keys that may only add are the better ones: then the bucket has a rule of its own for old objects.
                    LOG.warning("%s stays in the bucket: %s", old.path.name, error)


# --- the week, and the day on which it is needed ---------------------------------------------------------------------


def test(settings: Settings, tried: Try) -> None:
    """Restore the newest dump of the warehouse into a scratch database, count its messages and ask all laws; leave nothing."""
    newest = wanted(settings, WAREHOUSE, NEWEST)
    tried.stamp, tried.bytes = newest.stamp, newest.bytes
    promised = promised_messages(settings, newest.stamp)
    with scratch_database(settings.urls[WAREHOUSE]) as url:
        restore(newest, url, settings.identity)
        tried.messages, tried.problems = judge(url, promised)


def judge(url: str, promised: int | None) -> tuple[int, list[str]]:
    """Return how many messages a restored warehouse holds, and what is wrong with it."""
    laws = [law for law in read_laws() if law.name not in LAWS_OF_THE_WORLD]
    with connect(url) as connection:
        broken, unanswered = check_laws(session_of(connection), laws, PARAMS, max_rows=0)
        ((messages,),) = connection.execute(text_of("ask/backup/messages.sql"))
    problems = [f"broken: {law} ({rows} rows)" for law, rows in broken.items()]
    problems += [f"not answered: {law}" for law in unanswered]
    if promised is not None and messages != promised:
        problems.insert(0, f"{messages} messages, and {promised} when it was dumped")
    LOG.info("%d laws asked, %d messages", len(laws), messages)
    return messages, problems


def restore(file: Dump, url: str, identity: str) -> None:
    """Replace what a database holds by what a dump holds, in one transaction: all see the old until its end; a fault keeps it."""
    address, password = without_password(url)
    with running() as start:
        source = start_reading(start, file, identity)
        # Airflow's tables share the schema `public` with nobody, but it is not theirs to drop.
        options = ["--clean", "--if-exists"] if file.database == AIRFLOW else []
        script = start("pg_restore", "--no-owner", "--file=-", *options, stdin=source.stdout)
        source.stdout.close()
        psql = start(
            *("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--dbname={address}"),
            stdout=subprocess.DEVNULL,
            password=password,
        )
        with suppress(BrokenPipeError):
            psql.stdin.write(b"begin;\n" + (b"" if options else text_of("rebuild/backup/clear.sql")))
            while chunk := script.stdout.read(CHUNK_BYTES):
                psql.stdin.write(chunk)
            failure = source.failure() or script.failure()
            # Without this line psql ends at the end of its input, and the server undoes all of it.
            psql.stdin.write(b"" if failure else b"\ncommit;\nanalyze;\n")
            psql.stdin.close()
        if failure := psql.failure() or source.failure() or script.failure():
            raise BackupError(f"{file.path.name} was not restored: {failure}")
    LOG.info("%s is restored", file.path.name)


def verify(file: Dump, identity: str) -> None:
    """Read a dump to its end."""
    with running() as start:
        source = start_reading(start, file, identity)
        reader = start("pg_restore", "--file=/dev/null", stdin=source.stdout)
        source.stdout.close()
        if failure := reader.failure() or source.failure():
            raise BackupError(f"{file.path.name} can't be read: {failure}")
    LOG.info("%s is whole", file.path.name)


@contextmanager
def scratch_database(warehouse_url: str) -> Iterator[str]:
    """Make an empty database beside the warehouse and remove it at the end; yield its URL."""
    # Not "with (force)", which may not end autovacuum's worker there; without it PostgreSQL lets that one go, and waits.
    drop = sql.SQL("drop database if exists {}").format(sql.Identifier(SCRATCH))
    create = sql.SQL("create database {} encoding 'UTF8' template template0").format(sql.Identifier(SCRATCH))
    close = sql.SQL("revoke all on database {} from public").format(sql.Identifier(SCRATCH))
    with connect(warehouse_url, autocommit=True) as connection:
        connection.execute(drop)
        try:
            connection.execute(create)
            connection.execute(close)
            yield make_conninfo(warehouse_url, dbname=SCRATCH)
        finally:
            connection.execute(drop)


def promised_messages(settings: Settings, stamp: str) -> int | None:
    """Return how many messages a dump held when it was made; None where nobody has noted it."""
    with connect(settings.urls[WAREHOUSE]) as connection:
        row = connection.execute(text_of("ask/backup/promised.sql"), {"stamp": stamp}).fetchone()
    return row[0] if row else None


def wanted(settings: Settings, database: str, stamp: str) -> Dump:
    """Return a dump of the folder, brought from the bucket where it is only there."""
    found = newest_of(settings.folder, database) if stamp == NEWEST else None
    found = found or next(
        (file for file in dumps_in(settings.folder) if (file.database, file.stamp) == (database, stamp)), None
    )
    if found:
        return found
    if bucket := settings.bucket:
        return fetch(settings, bucket, database, stamp)
    raise BackupError(f"{settings.folder} holds no dump {stamp} of {database}: see `python -m deploy.backup list`")


def fetch(settings: Settings, bucket: Bucket, database: str, stamp: str) -> Dump:
    """Bring a dump from the bucket into the folder."""
    match = [found for found in dumps_among(bucket.sizes(f"{database}-")) if stamp in (NEWEST, found.stamp)]
    if not match:
        raise BackupError(f"neither {settings.folder} nor the bucket holds a dump {stamp} of {database}")
    newest = match[-1]
    part = settings.folder / f"{newest.path.name}.part"
    try:
        bucket.get(newest.path.name, part)
        target = part.rename(settings.folder / newest.path.name)
    finally:
        part.unlink(missing_ok=True)
    LOG.info("%s came from the bucket", target.name)
    return replace(newest, path=target)


# --- parts -----------------------------------------------------------------------------------------------------------


def dumps_among(paths: Iterable[Path | str]) -> list[Dump]:
    """Return the dumps that are named, the oldest first."""
    matches = ((FILE_NAME.fullmatch(path.name), path) for path in map(Path, paths))
    return sorted((Dump(match[1], match[2], path) for match, path in matches if match), key=lambda file: file.stamp)


def dumps_in(folder: Path) -> list[Dump]:
    """Return the dumps of a folder, the oldest first."""
    return dumps_among(folder.iterdir())


def newest_of(folder: Path, database: str) -> Dump | None:
    """Return the newest dump of a database."""
    return next((file for file in reversed(dumps_in(folder)) if file.database == database), None)


def start_reading(start: Callable[..., Program], file: Dump, identity: str) -> Program:
    """Start what writes the plain dump."""
    if file.path.suffix != ".age":
        return start("cat", file.path, stdin=subprocess.DEVNULL)
    if not identity:
        raise BackupError("no key: set BACKUP_AGE_IDENTITY, or give --identity FILE")
    return decrypting(start, file.path, identity)


def read_identity(file: str) -> str:
    """Return the private key that a file holds; `-` is standard input."""
    return sys.stdin.read() if file == "-" else Path(file).read_text()


def connect(url: str, *, autocommit: bool = False) -> psycopg.Connection[Any]:
    """Connect, with the limits of whoever is no run of Airflow's either."""
    limits: dict[str, Any] = dict(POSTGRES_LIMITS)
    return psycopg.connect(url, autocommit=autocommit, **limits)


def session_of(connection: psycopg.Connection[Any]) -> Session:
    """Return what runs the files of ours on a connection."""
    return Session(connection, read_sql([TRANSACTION, WHOLE, BACKUPS]), statement_timeout_s=LIMIT_S, log=LOG)


def without_password(url: str) -> tuple[str, str]:
    """Return a connection without its password, and that: the arguments of a program are no secret."""
    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    password = str(parts.pop("password", ""))
    return make_conninfo(**parts), password


def text_of(name: str) -> bytes:
    """Return a file below `sql/`."""
    return read_sql([name])[0].text.encode()


def one_line(error: Exception) -> str:
    """Return an error without the lines in which PostgreSQL tells of rows."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def note(settings: Settings, made: Try) -> None:
    """Write the try down, where the warehouse answers."""
    params = {
        "kind": made.kind,
        "stamp": made.stamp,
        "seconds": time.monotonic() - made.began,
        "bytes": made.bytes,
        "messages": made.messages,
        "is_good": not made.problems,
        "detail": "; ".join(made.problems),
    }
    try:
        with connect(settings.urls[WAREHOUSE]) as connection:
            session_of(connection).run([BACKUPS], params)
    except psycopg.Error as error:
        LOG.error("this try stands in no row of stg.backups: %s", one_line(error))  # noqa: TRY400  # the text says it all


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other tries out of the folder: each removes what looks unfinished."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"another backup works in {folder}") from error
        yield


def settings_of(env: Mapping[str, str], identity_file: str | None) -> Settings:
    """Read the environment. Raises `BackupError` where it lacks the warehouse."""
    if not env.get("DWH_URL"):
        raise BackupError("DWH_URL is not set: the URL of the warehouse, as its owner")
    named = {WAREHOUSE: env["DWH_URL"], AIRFLOW: env.get("AIRFLOW_METADATA_URL") or ""}
    return Settings(
        # SQLAlchemy's form names a driver, which libpq does not know.
        urls={name: re.sub(r"^postgresql\+\w+:", "postgresql:", url) for name, url in named.items() if url},
        folder=Path(env.get("BACKUP_FOLDER") or "/backup"),
        recipients=tuple((env.get("BACKUP_AGE_RECIPIENTS") or "").split()),
        identity=read_identity(identity_file) if identity_file else env.get("BACKUP_AGE_IDENTITY") or "",
        keep_days=int(env.get("BACKUP_KEEP_DAYS") or 7),
        min_percent=int(env.get("BACKUP_MIN_PERCENT") or 50),
        env=env,
    )


def show(settings: Settings) -> None:
    """Print what there is, in the folder and in the bucket."""
    for file in dumps_in(settings.folder):
        print(f"{file.bytes:>14,}  {file.path}")
    if bucket := settings.bucket:
        for name, size in bucket.sizes().items():
            print(f"{size:>14,}  {bucket.url}/{name}")


def attempt(kind: str, work: Callable[[Settings, Try], None], settings: Settings) -> int:
    """Do the work, write down what came of it where the warehouse answers, and return the exit code."""
    made = Try(kind)
    try:
        with alone_in(settings.folder):
            work(settings, made)
    except FAULTS as error:
        made.problems.append(one_line(error))
    for problem in made.problems:
        LOG.error("%s", problem)
    note(settings, made)
    return 1 if made.problems else 0


def run(command: str, settings: Settings, database: str, stamp: str) -> int:
    """Do what was asked for; return the exit code."""
    if command == "dump":
        return attempt("dump", dump, settings)
    if command == "test":
        return attempt("restore", test, settings)
    if command == "list":
        show(settings)
        return 0
    file = wanted(settings, database, stamp)
    if command == "verify":
        verify(file, settings.identity)
    elif command == "restore":
        restore(file, settings.urls[database], settings.identity)
    return 0


def main(arguments: Sequence[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Dump, verify, restore or test by the environment's settings; return the exit code."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__, formatter_class=form)
    parser.add_argument("command", choices=["dump", "test", "list", "verify", "restore", "fetch"])
    parser.add_argument("stamp", nargs="?", help="which dump: the moment in its name, or `newest`")
    parser.add_argument("--database", choices=[WAREHOUSE, AIRFLOW], default=WAREHOUSE, help="(default %(default)s)")
    parser.add_argument("--identity", metavar="FILE", help="the private key; `-` reads it from standard input")
    options = parser.parse_args(arguments)
    if options.command in ("verify", "restore", "fetch") and not options.stamp:
        parser.error(f"{options.command} which dump? Give its stamp, or `newest`")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        settings = settings_of(env, options.identity)
        return run(options.command, settings, options.database, options.stamp)
    except FAULTS as error:
        LOG.error("%s", one_line(error))  # noqa: TRY400  # the text says it all
        return 1


if __name__ == "__main__":
    sys.exit(main())
