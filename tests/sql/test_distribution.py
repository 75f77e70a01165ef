"""Laws of the list of what lies where on a distributed PostgreSQL, held against the catalogue of a plain one."""

import re
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from deploy.distribute import OWNERS_FUNCTIONS, CannotDistributeError, check_places, distribute, main
from harness.pipeline import Pipeline
from tests.citus.refused import DROPPED_FOREIGN_KEYS, DROPPED_TRIGGERS
from tests.messages import order, restaurant
from warehouse import distribution
from warehouse.distribution import (
    ADDED,
    DISTRIBUTED,
    LOCAL,
    MADE_IDS,
    WORK,
    order_key,
    views_said_otherwise,
    work_columns,
)
from warehouse.sql_files import CREATED

REPO = Path(__file__).resolve().parents[2]
ROOM = REPO / "sql" / distribution.OTHERWISE
OTHERWISE = sorted(path.relative_to(ROOM).as_posix() for path in ROOM.glob("**/*.sql") if path.parts[-3] != "view")
WRITTEN = re.compile(r"^ *(?:insert|merge) into ((?:stg|dds|cdm)\.\w+|batch_\w+|incoming_\w+)", re.MULTILINE)


def test_each_table_has_one_place(pipeline: Pipeline) -> None:
    tables = {
        table
        for (table,) in pipeline.rows(
            "select schemaname || '.' || tablename from pg_tables where schemaname in ('stg', 'dds', 'cdm')"
        )
    }
    assert tables == DISTRIBUTED.keys() | LOCAL
    assert not DISTRIBUTED.keys() & LOCAL


def test_each_distributed_table_has_its_column_or_gets_it(pipeline: Pipeline) -> None:
    for table, column in DISTRIBUTED.items():
        columns = [
            name for (name,) in pipeline.rows("select attname from pg_attribute where attrelid = %s::regclass", [table])
        ]
        assert (column in columns) != (table in ADDED), table
        assert column == ADDED.get(table, (column,))[0]


def test_a_key_of_neighbours_is_their_place_and_no_other_is_left(pipeline: Pipeline) -> None:
    keys = pipeline.rows(
        """
        select conname, conrelid::regclass::text, confrelid::regclass::text, attname from pg_constraint
        inner join pg_attribute on attrelid = conrelid and attnum = any(conkey)
        where contype = 'f' and connamespace in ('stg'::regnamespace, 'dds'::regnamespace, 'cdm'::regnamespace)
        """
    )
    torn = {
        name
        for name, table, other, column in keys
        if (table in DISTRIBUTED or other in DISTRIBUTED)
        and not (DISTRIBUTED.get(table) == DISTRIBUTED.get(other) == column)
    }
    assert torn == DROPPED_FOREIGN_KEYS


def test_no_trigger_stands_on_a_distributed_table_but_those_that_are_named(pipeline: Pipeline) -> None:
    found = pipeline.rows(
        "select tgname from pg_trigger where not tgisinternal and tgrelid = any(%s::regclass[])", [list(DISTRIBUTED)]
    )
    assert {name for (name,) in found} == DROPPED_TRIGGERS


def test_only_named_functions_of_the_owner_write_distributed_tables(pipeline: Pipeline) -> None:
    found = pipeline.rows(
        """
        select oid::regprocedure::text, prosrc from pg_proc
        where prosecdef and pronamespace in ('stg'::regnamespace, 'dds'::regnamespace, 'cdm'::regnamespace)
        """
    )
    named = "|".join(re.escape(table) for table in DISTRIBUTED)
    writing = {
        name
        for name, text in found
        if re.search(rf"\b(?:update|delete from|insert into|truncate) (?:{named}|stg\.%I)\b|truncate", text)
    }
    # The logs are not judged again where they are distributed, and nobody is erased there.
    assert {name.split("(")[0] for name in writing} == {
        *(name.split("(")[0] for name in OWNERS_FUNCTIONS),
        *("stg.amend_logs", "stg.erase_guest"),
    }


def test_ids_are_made_where_a_distributed_table_counts_its_rows(pipeline: Pipeline) -> None:
    found = pipeline.rows(
        "select attrelid::regclass::text from pg_attribute where attidentity <> '' and attrelid = any(%s::regclass[])",
        [list(DISTRIBUTED)],
    )
    assert {table for (table,) in found} == MADE_IDS


def test_an_orders_key_is_the_databases(pipeline: Pipeline) -> None:
    for number in (1, -7, 2**63 - 1):
        assert pipeline.value("select dds.hash_key(%s::bigint::text) = %s::uuid", [number, order_key(number)])


@pytest.mark.parametrize("table", WORK)
def test_a_table_for_batches_is_made_by_a_load_with_its_column(table: str) -> None:
    assert re.search(rf"\b{WORK[table]} uuid\b", work_columns()[table])


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_is_said_otherwise_says_the_same(name: str) -> None:
    plain, other = (REPO / "sql" / name).read_text(encoding="utf-8"), (ROOM / name).read_text(encoding="utf-8")
    header = other.split("\n\n", maxsplit=1)[0]
    taken = set(re.findall(r"%\((\w+)\)s", other))
    (line,) = re.findall(r"^-- Params: (.+)$", other, re.MULTILINE)
    assert set(re.findall(r"\w+", line.split("(")[0])) - {"none"} == taken
    assert taken <= set(re.findall(r"%\((\w+)\)s", plain)), "no parameter that the load does not give"
    assert re.search("^-- Rerun: ", header, re.MULTILINE)
    assert set(CREATED.findall(plain)) <= set(CREATED.findall(other))
    own = set(CREATED.findall(other)) - set(CREATED.findall(plain))
    written = set(WRITTEN.findall(re.sub("--.*", "", other))) - own
    assert written <= set(WRITTEN.findall(re.sub("--.*", "", plain))), (
        "it writes no table that the plain statement does not"
    )


def test_a_view_that_is_said_otherwise_answers_the_same(pipeline: Pipeline) -> None:
    menu = {"pizza": "Pizza", "tea": "Drinks"}
    pipeline.refer([("restaurant", "diner", restaurant(menu=menu))])
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, window_days, exit_threshold) values"
        " ('fan', 'Pizza', 0, null, null), ('lately', 'Pizza', 1, 30, 0), ('drinker', 'Drinks', 1, 3660, null)"
    )
    pipeline.stage(
        [
            order(1, dishes=("pizza", "tea"), update_ts="2026-01-01 10:00:00"),
            order(2, dishes=("pizza",), update_ts="2026-02-20 10:00:00"),
            order(3, "CANCELLED", dishes=("pizza",), update_ts="2026-02-21 10:00:00"),
            order(4, dishes=("unknown",), update_ts="2026-02-22 10:00:00"),
            order(5, dishes=("pizza",), update_ts="2026-03-20 10:00:00"),
            order(6, dishes=("pizza",), user="other", update_ts="2026-02-10 10:00:00"),
            order(7, dishes=("tea",), user="third", update_ts="2026-02-11 10:00:00"),
        ]
    )
    pipeline.load(datetime(2026, 3, 1, tzinfo=UTC))
    # To another guest, and from CLOSED to CANCELLED; two more wait.
    pipeline.stage([order(2, dishes=("pizza",), user="other", update_ts="2026-02-25 10:00:00")])
    pipeline.stage([order(7, "CANCELLED", dishes=("tea",), user="third", update_ts="2026-02-26 10:00:00")])
    pipeline.load(datetime(2026, 3, 1, tzinfo=UTC))
    pipeline.stage([order(8), order(9)])
    views = views_said_otherwise()
    assert len(views) > 2
    for view, statement in views.items():
        plain = pipeline.rows(f"select * from {view} as told order by told::text")
        assert plain, view
        with pipeline.owner.transaction(force_rollback=True):
            pipeline.owner.execute(statement)
            assert pipeline.rows(f"select * from {view} as told order by told::text") == plain, view


# --- bad input ---------------------------------------------------------------------------------------------------------


def test_a_plain_database_is_told_that_it_has_no_extension(pipeline: Pipeline) -> None:
    with pytest.raises(CannotDistributeError, match=r"no extension citus.*warehouse\.distributed\.enabled: false"):
        distribute(pipeline.etl)
    pipeline.etl.rollback()


def test_where_nobody_asks_nothing_happens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DWH_DISTRIBUTED", "false")
    monkeypatch.setenv("DWH_URL", "postgresql://nobody@127.0.0.1:1/none")
    main()
    assert "nobody asks" in capsys.readouterr().out


def test_a_warehouse_of_an_older_list_is_told_the_way(pipeline: Pipeline) -> None:
    with pytest.raises(CannotDistributeError, match=r"older list.*cdm\.tag_days.*--back"):
        check_places(pipeline.etl, {"cdm.tag_days": "tag"})
    pipeline.etl.rollback()


def test_a_table_without_a_place_is_named(pipeline: Pipeline) -> None:
    pipeline.owner.execute("create table stg.homeless (id int)")
    try:
        with (
            psycopg.connect(pipeline.env["DWH_URL"]) as owner,
            pytest.raises(CannotDistributeError, match=r"stg\.homeless"),
        ):
            check_places(owner, {})
    finally:
        pipeline.owner.execute("drop table stg.homeless")
