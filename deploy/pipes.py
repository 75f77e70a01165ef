"""Programs joined by pipes: each has ended at the end, and each tells why it failed."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

CHUNK_BYTES = 2**20


class ProgramError(Exception):
    """A program is not there; the text names it."""


class Program:
    """A program of a pipe; what it says of errors is kept for whoever asks why it failed."""

    def __init__(
        self,
        *command: str | Path,
        stdin: IO[bytes] | int = subprocess.PIPE,
        stdout: IO[bytes] | int = subprocess.PIPE,
        password: str = "",
    ) -> None:
        """Start it; PostgreSQL's programs take the password from their environment, where no other user sees it."""
        self.name = str(command[0])
        self._said = TemporaryFile()  # noqa: SIM115  # lives as long as the program
        env = os.environ | ({"PGPASSWORD": password} if password else {})
        try:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=self._said, env=env)
        except FileNotFoundError as error:
            raise ProgramError(f"{self.name} is not on PATH: see docs/deploy.md, Backup") from error

    @property
    def stdin(self) -> IO[bytes]:
        """What it reads."""
        assert self.process.stdin is not None  # noqa: S101  # as it was started
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """What it writes."""
        assert self.process.stdout is not None  # noqa: S101  # as it was started
        return self.process.stdout

    def failure(self) -> str:
        """Wait for its end; return the first error that it told of, nothing where it ended well."""
        if self.process.wait() == 0:
            return ""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").splitlines()
        # Without the lines that follow an error: they may hold rows.
        told = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
        return f"{self.name} ended with {self.process.returncode}: {told}"

    def end(self) -> None:
        """Stop it, where it still runs, and let go of its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        self.process.wait()
        self._said.close()


@contextmanager
def running() -> Iterator[Callable[..., Program]]:
    """Yield a function that starts a `Program`; all of them have ended at the end, also after a fault."""
    programs: list[Program] = []

    def start(*command: str | Path, **options: Any) -> Program:
        programs.append(Program(*command, **options))
        return programs[-1]

    try:
        yield start
    finally:
        for program in programs:
            program.end()


def decrypting(start: Callable[..., Program], file: Path, identity: str) -> Program:
    """Start what decrypts a file; the key goes over a pipe, never to a disk."""
    age = start("age", "--decrypt", "--identity", "-", file)
    # Where age has ended by then, its failure says why.
    with suppress(BrokenPipeError):
        age.stdin.write(identity.encode())
        age.stdin.close()
    return age


def pour(source: IO[bytes], ends: Sequence[IO[bytes]], early: IO[bytes]) -> None:
    """Copy to all ends until the source or one of the ends is at its end; `early` may leave before the others."""
    with suppress(BrokenPipeError):
        while chunk := source.read(CHUNK_BYTES):
            if not early.closed:
                try:
                    early.write(chunk)
                    early.flush()
                except BrokenPipeError:
                    with suppress(BrokenPipeError):
                        early.close()
            for end in ends:
                end.write(chunk)
    source.close()
    for end in (*ends, early):
        with suppress(BrokenPipeError):
            end.close()
