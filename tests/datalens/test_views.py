"""Definitions against the migrated database: what a dataset names is there, of a type that fits, and dwh_bi may read it."""

import os
from collections.abc import Iterator, Mapping
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from datalens.definitions import SCHEMA, Board, Dataset, load
from local.stack import Stack

FITTING = {
    "string": {"text", "character varying"},
    "integer": {"smallint", "integer", "bigint"},
    "float": {"real", "double precision", "numeric"},
    "date": {"date"},
    "genericdatetime": {"timestamp with time zone"},
    "boolean": {"boolean"},
}
BOARD = load()
Columns = dict[str, dict[str, str]]

# Read by deploy/watch.py and by metrics/: an analyst can do nothing about what they say.
FOR_ENGINEERS = {"v_backups", "v_laws", "v_lost_messages", "v_open_transactions"}
# The clock, what is handed over and to whom: asked by the page.
ON_THE_PAGE = {"v_clock", "v_exports", "v_audience_groups"}


@pytest.fixture
def owner(stack: Stack) -> Iterator[psycopg.Connection]:
    """A transaction of the owner that never commits."""
    with psycopg.connect(os.environ["DWH_URL"]) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def reader(stack: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(os.environ["DWH_BI_URL"]) as connection:
        yield connection


def columns_of_views(connection: psycopg.Connection) -> Columns:
    """Return view -> column -> type, of all BI views; a view that dwh_bi may not read has no columns."""
    rows = connection.execute(
        """
        select table_name, column_name, data_type
        from information_schema.columns
        where
            table_schema = %(schema)s
            and table_name like %(views)s
            and has_table_privilege('dwh_bi', format('%%I.%%I', table_schema, table_name), 'select')
        """,
        {"schema": SCHEMA, "views": r"v\_%"},
    )
    found: Columns = {}
    for view, column, kind in rows:
        found.setdefault(view, {})[column] = kind
    return found


def misfits(board: Board, stored: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Say which fields of the datasets the database does not have, or not of a fitting type."""
    found = []
    for dataset in board.datasets.values():
        view = stored.get(dataset.view, {})
        for field in dataset.columns:
            kind = view.get(field.name, "nothing")
            if kind not in FITTING[field.type]:
                found.append(f"{dataset.view}.{field.name}: {kind} for {field.type}")
    return found


def test_every_field_is_a_column_of_its_view_with_a_fitting_type(owner: psycopg.Connection) -> None:
    assert misfits(BOARD, columns_of_views(owner)) == []


CHANGES = {
    "alter view cdm.v_dead_letters rename column solved to renamed": ["v_dead_letters.solved: nothing for integer"],
    """
    drop view cdm.v_dead_letters;
    create view cdm.v_dead_letters as
    select ''::text as topic, ''::text as reason, 1 as unsolved, '1'::text as solved, now() as first_dt, now() as last_dt;
    grant select on cdm.v_dead_letters to dwh_bi
    """: ["v_dead_letters.solved: text for integer"],
    "revoke select on cdm.v_category_thresholds from dwh_bi": [
        "v_category_thresholds.category_name: nothing for string",
        "v_category_thresholds.threshold: nothing for integer",
        "v_category_thresholds.guests: nothing for integer",
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_renamed_column_another_type_or_a_missing_right_turns_the_check_red(
    owner: psycopg.Connection, change: LiteralString
) -> None:
    owner.execute(change)
    assert misfits(BOARD, columns_of_views(owner)) == CHANGES[change]


def test_every_view_is_shown_somewhere(owner: psycopg.Connection) -> None:
    shown = {dataset.view for dataset in BOARD.datasets.values()}
    hidden = FOR_ENGINEERS | ON_THE_PAGE
    assert shown | hidden == set(columns_of_views(owner))
    assert shown & hidden == set()


@pytest.mark.parametrize("dataset", BOARD.datasets.values(), ids=lambda dataset: dataset.name)
def test_the_bi_role_gets_an_answer_to_a_grouped_query(reader: psycopg.Connection, dataset: Dataset) -> None:
    """What DataLens asks of a table with all fields: measures aggregated, grouped by the dimensions."""
    dimensions = [sql.Identifier(field.name) for field in dataset.columns if not field.measure]
    measures = [
        sql.SQL("{}({})").format(sql.SQL(field.aggregation), sql.Identifier(field.name))
        for field in dataset.columns
        if field.measure
    ]
    query = sql.SQL("select {} from {} {} limit 1").format(
        sql.SQL(", ").join(dimensions + measures),
        sql.Identifier(SCHEMA, dataset.view),
        sql.SQL("group by {}").format(sql.SQL(", ").join(dimensions)) if dimensions else sql.SQL(""),
    )
    answer = reader.execute(query)
    assert answer.description is not None
    assert len(answer.description) == len(dataset.columns)
