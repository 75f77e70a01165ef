"""Delete what Airflow remembers of runs, and its logs, once they are older than `config/terms.yaml` allows.

For where no chart of Airflow does that: beside its scheduler, with Airflow's own settings in the environment. Safe to run again.

    python -m deploy.clean_airflow [--every-hours N]
"""

import argparse
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.configuration import conf

from warehouse.constants import TERMS_FILE
from warehouse.terms import parse_terms


def main() -> None:
    """Clean once, or every so many hours until somebody stops it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every-hours", type=int, help="begin again after so many hours")
    every = parser.parse_args().every_hours
    while True:
        clean()
        if not every:
            return
        time.sleep(timedelta(hours=every).total_seconds())


def clean() -> None:
    """Delete runs and logs after their terms."""
    terms, now = parse_terms(Path(TERMS_FILE).read_text(encoding="utf-8")), datetime.now(UTC)
    before = (now - terms.airflow_runs).isoformat(timespec="seconds")
    command = [
        "db",
        "clean",
        "--clean-before-timestamp",
        before,
        "--skip-archive",
        "--yes",
        "--error-on-cleanup-failure",
    ]
    subprocess.run([sys.executable, "-m", "airflow", *command], check=True)
    gone = delete_files(Path(conf.get("logging", "base_log_folder")), before=now - terms.airflow_logs)
    print(f"runs before {before} are deleted, and {gone} files of logs")


def delete_files(folder: Path, before: datetime) -> int:
    """Delete the files of a folder that were last written before then, and the folders that are empty for it; return how many."""
    gone = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or not path.exists():
            continue
        if path.is_file() and path.stat().st_mtime < before.timestamp():
            path.unlink()
            gone += 1
            with suppress(OSError):  # the first that is not empty
                for parent in path.parents[: -len(folder.parents) - 1]:
                    parent.rmdir()
    return gone


if __name__ == "__main__":
    main()
