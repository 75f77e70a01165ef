"""Jobs side by side that take effect one after another; places are plain objects here, and once connections of PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from harness.pipeline import Pipeline
from warehouse.turns import TurnLostError, Turns, hang_up

LONG_S = 30.0


class Stage:
    """Turns over places that are numbered, and what became of them."""

    def __init__(self, places: int = 2) -> None:
        self.opened = 1
        self.closed: list[int] = []
        self.ended: list[int] = []
        self.effects: list[str] = []
        self.results: list[str] = []
        self.turns: Turns[int, str] = Turns(0, self.open, places=places, hang_up=self.ended.append)

    @contextmanager
    def open(self) -> Iterator[int]:
        place = self.opened
        self.opened += 1
        try:
            yield place
        finally:
            self.closed.append(place)

    def job(
        self, name: str, *, after: threading.Event | None = None, error: Exception | None = None
    ) -> Callable[[int, Callable[[], None]], str]:
        """Return a job that waits, perhaps fails, and takes effect in its turn."""

        def work(place: int, take_turn: Callable[[], None]) -> str:
            if after is not None:
                assert after.wait(LONG_S)
            if error is not None:
                raise error
            take_turn()
            self.effects.append(name)
            return f"{name} at {place}"

        return work

    def begin(self, name: str, **conditions: Any) -> None:
        self.turns.begin(self.job(name, **conditions), self.results.append)


def test_what_takes_longer_before_its_turn_takes_effect_first_where_it_was_begun_first() -> None:
    stage, later_is_ready = Stage(), threading.Event()

    def later(place: int, take_turn: Callable[[], None]) -> str:
        later_is_ready.set()
        take_turn()
        stage.effects.append("later")
        return "later"

    with stage.turns.held():
        stage.begin("first", after=later_is_ready)
        stage.turns.begin(later, stage.results.append)
    assert stage.effects == ["first", "later"]
    assert stage.results == ["first at 0", "later"]
    assert (stage.closed, stage.ended) == ([1], [])


def test_one_job_after_another_needs_one_place() -> None:
    stage = Stage()
    with stage.turns.held():
        for name in ("a", "b", "c"):
            stage.begin(name)
            stage.turns.finish_all()
    assert stage.results == ["a at 0", "b at 0", "c at 0"]
    assert stage.opened == 1


def test_no_more_jobs_run_than_there_are_places() -> None:
    stage = Stage(places=3)
    with stage.turns.held():
        for number in range(50):
            stage.begin(str(number))
            assert len(stage.results) >= number - 2
    assert stage.effects == [str(number) for number in range(50)]
    assert stage.opened <= 3


def test_after_a_job_that_failed_none_takes_effect() -> None:
    stage = Stage(places=3)

    def fail() -> None:
        with stage.turns.held():
            stage.begin("a")
            stage.begin("b", error=ZeroDivisionError())
            stage.begin("c")

    with pytest.raises(ZeroDivisionError):
        fail()
    assert stage.effects == ["a"]
    assert stage.results == ["a at 0"]
    assert stage.ended == list(range(stage.opened)), "what the others do is ended"
    assert stage.closed == list(reversed(range(1, stage.opened)))


def test_a_lost_turn_is_an_error_of_its_own() -> None:
    stage, lost = Stage(), []

    def loser(place: int, take_turn: Callable[[], None]) -> str:
        try:
            take_turn()
        except TurnLostError as error:
            lost.append(error)
            raise
        return "never"

    def fail() -> None:
        with stage.turns.held():
            stage.begin("a", error=ZeroDivisionError())
            stage.turns.begin(loser, stage.results.append)

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(lost) == 1


def test_a_block_that_fails_waits_for_no_statement(pipeline: Pipeline) -> None:
    @contextmanager
    def another() -> Iterator[psycopg.Connection]:
        with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as connection:
            yield connection

    sleeping = threading.Event()
    ended: list[Exception] = []

    def sleep(connection: psycopg.Connection, take_turn: Callable[[], None]) -> None:
        sleeping.set()
        try:
            connection.execute("select pg_sleep(3600)")
        except psycopg.Error as error:
            ended.append(error)
            raise

    def fail(first: psycopg.Connection) -> None:
        turns: Turns[psycopg.Connection, None] = Turns(first, another, places=2, hang_up=hang_up)
        with turns.held():
            turns.begin(sleep, lambda _: None)
            assert sleeping.wait(LONG_S)
            raise ZeroDivisionError

    with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as first:
        with pytest.raises(ZeroDivisionError):
            fail(first)
        assert len(ended) == 1
        with pytest.raises(psycopg.OperationalError):
            first.execute("select 1")
