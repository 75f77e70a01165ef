"""What may be said of an error of PostgreSQL where more people read than may read rows: logs, and messages to who is called."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


def without_rows(error: psycopg.Error) -> str:
    """Return what an error says, with nothing of a row in it.

    Behind the first line PostgreSQL shows keys and rows (DETAIL) and what it was reading (CONTEXT); where a value is at fault,
    the first line quotes it.
    """
    if isinstance(error, psycopg.DataError) and not isinstance(error, psycopg.errors.SequenceGeneratorLimitExceeded):
        return f"a value was refused, SQLSTATE {error.sqlstate}"
    return str(error).strip().partition("\n")[0]


@contextmanager
def errors_without_rows() -> Iterator[None]:
    """Let errors of PostgreSQL out of the block, and those that they were raised from, say no more than `without_rows`."""
    try:
        yield
    except Exception as raised:
        error: BaseException | None = raised
        while error is not None:
            if isinstance(error, psycopg.Error):
                error.args = (without_rows(error),)
            error = error.__cause__ or error.__context__
        raise
