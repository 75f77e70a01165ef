"""Jobs that work side by side, each at a place of its own, and take effect one after another.

A place is whatever only one job can use at a time: here, what stores by one connection of PostgreSQL.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, Generic, Self, TypeAlias, TypeVar

import psycopg

CANCEL_TIMEOUT_S = 5.0

Place = TypeVar("Place")
Result = TypeVar("Result")
# Gets a place, and what returns when all that was begun before has succeeded.
Job: TypeAlias = Callable[[Place, Callable[[], None]], Result]


class TurnLostError(Exception):
    """What had to be done before was not; nothing of this was, either."""


class Turns(Generic[Place, Result]):
    """Begins jobs, at most `places` at a time, in threads of their own; what they return is handled where they are begun.

    A job does what can be done at any time, takes its turn, and does the rest: what it does then is done after all that the jobs
    before it do. Where one of those has failed, its turn is lost. The `first` place is there; another one is opened when all are
    in use: a minute's run needs one. `hang_up` ends what is done at a place.
    """

    def __init__(
        self,
        first: Place,
        open_another: Callable[[], AbstractContextManager[Place]],
        *,
        places: int,
        hang_up: Callable[[Place], None],
    ) -> None:
        self._open_another = open_another
        self._hang_up = hang_up
        self._places = [first]
        self._idle = deque(self._places)
        self._running: deque[tuple[Future[Result], Callable[[Result], None]]] = deque()
        self._last: Future[Result] | None = None
        self._most = places
        self._opened = ExitStack()
        self._threads = ThreadPoolExecutor(places, "turn")

    @contextmanager
    def held(self) -> Iterator[Self]:
        """Finish all jobs where the block succeeds. Where it fails they are not waited for: what they do is ended."""
        with self._opened, self._threads:  # the threads end before their places are closed
            try:
                yield self
                self.finish_all()
            except BaseException:
                for place in self._places:
                    self._hang_up(place)
                raise

    def begin(self, job: Job[Place, Result], then: Callable[[Result], None]) -> None:
        """Begin a job, as soon as a place is free; `then` gets its result, after those of all that was begun before."""
        if len(self._running) == self._most:
            self._finish_oldest()
        if not self._idle:
            self._places.append(self._opened.enter_context(self._open_another()))
            self._idle.append(self._places[-1])
        self._last = self._threads.submit(self._work, job, self._idle.popleft(), self._last)
        self._running.append((self._last, then))

    def finish_all(self) -> None:
        """Wait until everything that was begun is done. Raises the error of the first job that has failed."""
        while self._running:
            self._finish_oldest()

    def _finish_oldest(self) -> None:
        job, then = self._running.popleft()
        then(job.result())

    def _work(self, job: Job[Place, Result], place: Place, before: Future[Result] | None) -> Result:
        def take_turn() -> None:
            if before is not None and before.exception() is not None:
                raise TurnLostError("what was begun before this was not done")

        try:
            return job(place, take_turn)
        finally:
            self._idle.append(place)


def hang_up(connection: psycopg.Connection[Any]) -> None:
    """End what the connection is doing, from another thread: the thread that waits in it gets an error and goes on.

    PostgreSQL is asked to cancel, so that it lets go at once; whether or not it answers, the socket is shut.
    """
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
