"""Back to any moment: base backups of the whole server, and every segment of its log since. Off unless a value says otherwise.

    python -m deploy.wal keep                                   # beside the server: base backups, what is over, the bucket
    python -m deploy.wal recover --to FOLDER --time 2026-11-29T12:30:00+00:00 --identity FILE

The server's archive_command is `deploy/archive_wal.sh`: it packs and encrypts each finished segment (`wal-<segment>.gz.age`).
A base backup is `base-<stamp>-<its first segment>.tar.gz.age`. `recover` makes a data folder of both: PostgreSQL, started on it,
recovers. Environment:

    WAL_URL                  the server, as a superuser, by an address that pg_hba.conf lets replicate (beside it: 127.0.0.1)
    WAL_FOLDER               where segments and base backups lie; /wal
    WAL_BASE_DAYS            a new base backup after that many days; 7
    BACKUP_KEEP_DAYS         back to any moment of so many days; 7
    BACKUP_AGE_RECIPIENTS, BACKUP_S3_URL and so on    as for `python -m deploy.backup`
"""

import argparse
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from deploy.backup import FAULTS, STAMP_FORMAT, BackupError, connect, one_line, read_identity, text_of, without_password
from deploy.bucket import Bucket, BucketError, bucket_of
from deploy.pipes import decrypting, running

LOG = logging.getLogger("wal")
BASE_NAME = re.compile(r"base-(\d{8}T\d{6}Z)-([0-9A-F]{24})\.tar\.gz\.age")
SEGMENT_NAME = re.compile(r"wal-([0-9A-F]{24}|[0-9A-F]{8}\.history)\.gz\.age")
SENT = ".sent"
EVERY_S = 60
# In the data folder, for the server's restore_command; to be removed when it has recovered.
UNPACKED = "recovery_wal"


class Base(NamedTuple):
    """A base backup: when it was begun, the first segment that it needs, its file's name."""

    made: datetime
    segment: str
    name: str


def keep(env: Mapping[str, str]) -> None:
    """Do once what `keep` does every minute: a base backup where the last is old, then the bucket, then what is over."""
    folder = folder_of(env)
    bases = bases_among(names_in(folder))
    now = datetime.now(UTC)
    if not bases or now - bases[-1].made > timedelta(days=float(env.get("WAL_BASE_DAYS") or 7)):
        bases.append(make_base(env))
    if bucket := bucket_of(env):
        fill_bucket(folder, bucket)
    for name in over(names_in(folder), now - timedelta(days=float(env.get("BACKUP_KEEP_DAYS") or 7))):
        (folder / name).unlink()
        (folder / (name + SENT)).unlink(missing_ok=True)
        LOG.info("removed %s", name)
        if bucket:
            try:
                bucket.delete(name)
            except BucketError as error:
                LOG.warning("%s stays in the bucket: %s", name, error)


def make_base(env: Mapping[str, str]) -> Base:
    """Copy the server as it runs, packed and encrypted; leave no half of a copy. The server waits until its log is archived."""
    folder = folder_of(env)
    for part in folder.glob("base-*.part"):
        part.unlink()
    with connect(env["WAL_URL"]) as connection:
        ((segment,),) = connection.execute(text_of("ask/backup/segment.sql"))
    made = datetime.now(UTC).replace(microsecond=0)
    name = f"base-{made.strftime(STAMP_FORMAT)}-{segment}.tar.gz.age"
    part = folder / f"{name}.part"
    address, password = without_password(env["WAL_URL"])
    recipients = [f"--recipient={key}" for key in env["BACKUP_AGE_RECIPIENTS"].split()]
    options = ["--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast", f"--dbname={address}"]
    try:
        with part.open("wb") as file, running() as start:
            source = start("pg_basebackup", *options, stdin=subprocess.DEVNULL, password=password)
            gzip = start("gzip", "--fast", stdin=source.stdout)
            age = start("age", *recipients, stdin=gzip.stdout, stdout=file)
            source.stdout.close()
            gzip.stdout.close()
            if failure := age.failure() or source.failure() or gzip.failure():
                raise BackupError(failure)
            os.fsync(file.fileno())
        part.rename(folder / name)
    finally:
        part.unlink(missing_ok=True)
    LOG.info("%s: %d bytes", name, (folder / name).stat().st_size)
    return Base(made, segment, name)


def fill_bucket(folder: Path, bucket: Bucket) -> None:
    """Store what the bucket has not got yet, the oldest first: the log there has no hole before its end."""
    for name in sorted(names_in(folder), key=lambda name: (folder / name).stat().st_mtime):
        if not (folder / (name + SENT)).exists():
            bucket.put(folder / name)
            (folder / (name + SENT)).touch()


def over(names: Sequence[str], since: datetime) -> list[str]:
    """Return what is needed for no moment since then: older base backups but the newest of them, and the log before that."""
    bases = bases_among(names)
    before = [base for base in bases if base.made <= since]
    old = before[:-1]
    kept = [base for base in bases if base not in old]
    segments = [name for name in names if SEGMENT_NAME.fullmatch(name) and "history" not in name]
    unneeded = [name for name in segments if kept and name < f"wal-{kept[0].segment}"]
    return [base.name for base in old] + unneeded


def recover(env: Mapping[str, str], target: Path, moment: datetime, identity: str) -> None:
    """Make a data folder from which PostgreSQL, started on it, recovers to the moment and goes on; its owner is the caller."""
    folder, bucket = folder_of(env), bucket_of(env)
    there = bucket.sizes("base-") | bucket.sizes("wal-") if bucket else {}
    names = sorted({*names_in(folder), *filter(is_ours, there)})
    bases = [base for base in bases_among(names) if base.made <= moment]
    if not bases:
        raise BackupError(f"there is no base backup of before {moment}")
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target} is not empty")
    base = bases[-1]
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    unpack(folder, bucket, base.name, identity, ["tar", "--extract", f"--directory={target}"])
    (target / UNPACKED).mkdir(mode=0o700)
    segments = [
        name for name in names if SEGMENT_NAME.fullmatch(name) and ("history" in name or name >= f"wal-{base.segment}")
    ]
    for name in segments:
        file = target / UNPACKED / name.removeprefix("wal-").removesuffix(".gz.age")
        # A segment that was handed over before it was full ends in zeros; a week of such would be 32 GiB.
        unpack(folder, bucket, name, identity, ["dd", f"of={file}", "bs=64K", "conv=sparse", "status=none"])
    settings = {
        "restore_command": f"cp {UNPACKED}/%f %p",
        "recovery_target_time": moment.isoformat(sep=" "),
        "recovery_target_action": "promote",
    }
    with (target / "postgresql.auto.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    (target / "recovery.signal").touch()
    LOG.info("%s: %s and %d files of the log, to %s", target, base.name, len(segments), moment)


def unpack(folder: Path, bucket: Bucket | None, name: str, identity: str, into: Sequence[str]) -> None:
    """Decrypt a file of the folder, or of the bucket, and hand it to a program."""
    file = folder / name
    fetched = folder / f"{name}.part"
    try:
        if not file.exists() and bucket:
            bucket.get(name, fetched)
            file = fetched
        with running() as start:
            age = decrypting(start, file, identity)
            gzip = start("gzip", "--decompress", "--stdout", stdin=age.stdout)
            end = start(*into, stdin=gzip.stdout, stdout=subprocess.DEVNULL)
            age.stdout.close()
            gzip.stdout.close()
            if failure := end.failure() or gzip.failure() or age.failure():
                raise BackupError(f"{name}: {failure}")
    finally:
        fetched.unlink(missing_ok=True)


def folder_of(env: Mapping[str, str]) -> Path:
    """Return where the files lie."""
    return Path(env.get("WAL_FOLDER") or "/wal")


def is_ours(name: str) -> bool:
    """Tell a whole file of ours by its name."""
    return bool(BASE_NAME.fullmatch(name) or SEGMENT_NAME.fullmatch(name))


def names_in(folder: Path) -> list[str]:
    """Return the files of a folder that are whole."""
    return sorted(path.name for path in folder.iterdir() if is_ours(path.name))


def bases_among(names: Sequence[str]) -> list[Base]:
    """Return the base backups, the oldest first."""
    found = (BASE_NAME.fullmatch(name) for name in names)
    return sorted(
        Base(datetime.strptime(match[1], STAMP_FORMAT).replace(tzinfo=UTC), match[2], match[0])
        for match in found
        if match
    )


def main(arguments: Sequence[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Keep base backups and log, or make a data folder of them; return the exit code."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m deploy.wal", description=__doc__, formatter_class=form)
    parser.add_argument("command", choices=["keep", "recover"])
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="an empty one, or one that is not there")
    parser.add_argument("--time", type=datetime.fromisoformat, metavar="MOMENT", help="with a zone")
    parser.add_argument("--identity", metavar="FILE", help="the private key; `-` reads it from standard input")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if options.command == "recover":
        if not (options.to and options.identity and options.time and options.time.tzinfo):
            parser.error("recover needs --to, --identity, and --time with a zone")
        try:
            recover(env, options.to, options.time, read_identity(options.identity))
        except FAULTS as error:
            LOG.error("%s", one_line(error))  # noqa: TRY400  # the text says it all
            return 1
        return 0
    # The first process of its container would otherwise not hear it, and keep the server's pod waiting for a minute.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    while True:
        try:
            keep(env)
        except FAULTS as error:
            LOG.error("%s", one_line(error))  # noqa: TRY400  # the text says it all
        time.sleep(EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
