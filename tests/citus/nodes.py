"""A node of the cluster that a test takes away for a while, as a machine that fails does."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import psycopg


class Node:
    """A node of this machine, by its superuser's address."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            (folder,) = connection.execute("show data_directory").fetchone() or ("",)
            (text,) = connection.execute("select pg_read_file('postmaster.opts')").fetchone() or ("",)
        self.folder = Path(folder)
        self.command = shlex.split(text)
        self.environment = dict(
            part.split("=", 1) for part in Path(f"/proc/{self._pid()}/environ").read_text().split("\0") if "=" in part
        )

    def _pid(self) -> int:
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def stop(self) -> None:
        """End it at once, with all that it was doing."""
        pid = self._pid()
        os.kill(pid, signal.SIGQUIT)
        while (self.folder / "postmaster.pid").exists():
            time.sleep(0.05)

    def start(self) -> None:
        """Start it again as it was; return when it answers."""
        owner = self.folder.stat()
        # As another user where the tests are root's: the server refuses to be.
        user = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.Popen(
            self.command,
            env=self.environment,
            cwd="/",
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **user,  # type: ignore[call-overload]
        )
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
