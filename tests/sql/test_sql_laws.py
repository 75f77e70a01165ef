"""Laws over the SQL files and the tables that they fill."""

import re
from collections import Counter
from pathlib import Path

import pytest

from harness.pipeline import Pipeline
from warehouse import layers, staging
from warehouse.sql_files import CREATED, TEMPORARY, SqlFile

REPO = Path(__file__).resolve().parents[2]
LAYERS = ("stg", "dds", "cdm")
ROOMS = (*LAYERS, "batch", "turn", "rebuild", "ask", "settle")
FILES = sorted(
    path.relative_to(REPO / "sql").as_posix() for room in ROOMS for path in (REPO / "sql" / room).glob("**/*.sql")
)
TABLE_FILES = [name for name in FILES if name.split("/")[0] in LAYERS]
RECORDS = {name: value for name, value in vars(layers).items() if isinstance(value, tuple)}
HEADER = ("Rerun", "Params")
# Tables that no file of their own fills: queues, which are filled together with what they queue.
QUEUES = {"stg.load_queue", "cdm.rule_queue"}
# Filled and emptied by a function, within one transaction; filled by triggers.
INTERNAL = {
    *("dds.suspended_keys", "cdm.tag_rule_versions", "stg.erasures", "stg.erasure_requests"),
    *("stg.guest_looks", "stg.guest_look_key"),
}
# People fill it, by a function.
BY_HAND = {"stg.withdrawn"}
# Unlogged: what a rebuild holds from chunk to chunk.
JUDGED = {"stg.judged_orders", "stg.judged_references"}
# Of a batch: moves rows from one of its tables to another.
NOT_MADE = {"stg.incoming_withdrawn", "cdm.batch_timed"}


# Tables that no law of sql/checks is about, and why.
LAWLESS = {
    "cdm.audiences": "config/audiences.yaml says it; a trigger locks what must stay",
    "cdm.consents": "files of others say it; what follows from it: test_audience_examples.py",
    "cdm.tag_rules": "people write it; what it was stands in cdm.tag_rule_versions, which has the law",
    "stg.erasure_requests": "guest_erase works them off, and fails aloud",
    "stg.guest_looks": "nothing is made of it",
    "stg.guest_look_key": "the same",
    "stg.drain_progress": "each drain compares it with Kafka before it reads",
    "stg.law_checks": "what the laws' own check has found",
    "stg.check_progress": "how far it has come",
}


def text_of(name: str) -> str:
    return (REPO / "sql" / name).read_text(encoding="utf-8")


def test_there_are_files() -> None:
    assert len(TABLE_FILES) > 30
    assert set(ROOMS) == {name.split("/")[0] for name in FILES}


def names_in(path: Path) -> list[str]:
    return re.findall(rf'"((?:{"|".join(ROOMS)})/[\w/]+\.sql)"', path.read_text(encoding="utf-8"))


def test_the_code_names_each_file_once_and_the_files_of_loads_in_one_place() -> None:
    folders = ("dags", "plugins", "deploy", "migrations", "bench")
    code = [path for folder in folders for path in (REPO / folder).glob("**/*.py")]
    assert Counter(name for path in code for name in names_in(path)) == Counter(FILES)
    assert set(names_in(REPO / "plugins/warehouse/layers.py")) == {name for name in FILES if "/backup/" not in name}


@pytest.mark.parametrize("record", RECORDS)
def test_a_file_stands_once_in_a_load(record: str) -> None:
    def flat(part: layers.Listed) -> list[str]:
        return [part] if isinstance(part, str) else [name for inner in part or () for name in flat(inner)]

    listed = flat(RECORDS[record])
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_a_row_is_and_what_a_rerun_does(name: str) -> None:
    header = text_of(name).split("\n\n", maxsplit=1)[0]
    for word in HEADER:
        assert re.search(rf"^-- {word}: ", header, re.MULTILINE), word


@pytest.mark.parametrize("name", FILES)
def test_the_header_names_the_parameters_that_a_file_takes(name: str) -> None:
    taken = set(re.findall(r"%\((\w+)\)s", text_of(name)))
    (line,) = re.findall(r"^-- Params: (.+)$", text_of(name), re.MULTILINE)
    named = set(re.findall(r"\w+", line.split("(")[0])) - {"none"}
    assert named == taken


@pytest.mark.parametrize("name", FILES)
def test_values_come_as_parameters_and_time_from_outside(name: str) -> None:
    text = text_of(name)
    assert "{{" not in text
    assert "{%" not in text
    assert not re.search(r"\b(now\(\)|current_timestamp|clock_timestamp)", text)


@pytest.mark.parametrize("name", FILES)
def test_temporary_tables_and_nothing_else_are_named_as_such(name: str) -> None:
    made = {table for file in FILES for table in CREATED.findall(text_of(file))}
    code = re.sub("--.*", "", text_of(name))
    assert {table for table in CREATED.findall(code) if not TEMPORARY.fullmatch(table)} == set()
    assert set(TEMPORARY.findall(code)) <= made


def tables_of(pipeline: Pipeline) -> set[str]:
    query = "select schemaname || '.' || tablename from pg_tables where schemaname in ('stg', 'dds', 'cdm')"
    return {table for (table,) in pipeline.rows(query)}


def test_every_table_is_filled_by_a_file_of_its_name(pipeline: Pipeline) -> None:
    filled = {SqlFile(name, "").table for name in TABLE_FILES}
    assert tables_of(pipeline) - filled == QUEUES | INTERNAL | BY_HAND | JUDGED


def test_a_layer_holds_tables_and_nothing_else(pipeline: Pipeline) -> None:
    for name in TABLE_FILES:
        table = SqlFile(name, "").table
        assert table in tables_of(pipeline), name
        assert re.search(rf"^\s*(insert|merge) into {re.escape(table)}\b", text_of(name), re.MULTILINE), name


def test_what_is_settled_later_names_its_table_first(pipeline: Pipeline) -> None:
    for name in (name for name in FILES if name.startswith("settle/")):
        table = SqlFile(name, "").table
        assert any(re.match(rf"{re.escape(known)}_[a-z]+$", table) for known in tables_of(pipeline)), name


def test_a_batch_makes_the_temporary_table_of_its_name() -> None:
    for name in (name for name in FILES if name.startswith("batch/")):
        table = SqlFile(name, "").table
        made = CREATED.findall(text_of(name))
        assert made == [table.split(".")[1]] or table in NOT_MADE | JUDGED, name


def test_every_table_has_a_file_of_laws(pipeline: Pipeline) -> None:
    assert tables_of(pipeline) - {path.stem for path in (REPO / "sql/checks").glob("*.sql")} == LAWLESS.keys()


def satellites_of(pipeline: Pipeline) -> list[str]:
    found = [name for name in pipeline.value("select dds.vault_tables()::text[]") if re.match(r"dds\.e?s_", name)]
    assert found
    return found


def view_of(satellite: str) -> str:
    return re.sub(r"dds\.e?s_", "dds.current_", satellite)


def test_a_satellite_has_a_view_of_its_current_rows_with_all_columns(pipeline: Pipeline) -> None:
    columns = """
        select attrelid::regclass::text, array_agg(attname order by attnum)
        from pg_attribute
        where attrelid = any(%s::regclass[]) and attnum > 0 and not attisdropped
        group by attrelid
    """
    satellites = satellites_of(pipeline)
    views = [view_of(name) for name in satellites]
    of_tables, of_views = dict(pipeline.rows(columns, [satellites])), dict(pipeline.rows(columns, [views]))
    assert [of_views[view] for view in views] == [of_tables[name] for name in satellites]


@pytest.mark.parametrize(
    ("log", "judged", "copied"),
    [
        ("order_event_log", "judged_orders", staging.ORDER_COLUMNS),
        ("reference_log", "judged_references", staging.REFERENCE_COLUMNS),
    ],
)
def test_what_is_read_from_a_message_is_copied_in_and_judged_again(
    pipeline: Pipeline, log: str, judged: str, copied: tuple[str, ...]
) -> None:
    columns = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
    stored = {name for (name,) in pipeline.rows(columns, [f"stg.{log}"])}
    assert stored == {*copied, "load_dt"}
    again = {name for (name,) in pipeline.rows(columns, [f"stg.{judged}"])}
    assert again - {"is_accepted"} == stored - {"value", "topic", "partition", "offset", "load_dt"}


def test_every_table_and_column_is_commented(pipeline: Pipeline) -> None:
    """Those of dds.current_* are the columns of a satellite, which says what they are."""
    silent = pipeline.rows(
        r"""
        select c.oid::regclass::text, a.attname
        from pg_class as c
        inner join pg_attribute as a on c.oid = a.attrelid and a.attnum >= 0 and not a.attisdropped
        where
            c.relnamespace in ('stg'::regnamespace, 'dds'::regnamespace, 'cdm'::regnamespace)
            and c.relkind in ('r', 'v', 'm', 'p')
            and (
                obj_description(c.oid, 'pg_class') is null
                or (col_description(c.oid, a.attnum) is null and c.oid::regclass::text not like 'dds.current\_%')
            )
        """
    )
    assert silent == []


def test_the_committed_schema_is_that_of_the_migrations(pipeline: Pipeline) -> None:
    from local.schema import dump

    assert dump(pipeline.env["DWH_URL"]) == (REPO / "sql/schema.sql").read_text(encoding="utf-8"), "run `make schema`"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("dds.hash_key('12', '3')", "dds.hash_key('1', '23')"),
        ("dds.hash_key(null)", "dds.hash_key('')"),
        ("dds.hash_key('a', null)", "dds.hash_key('a', '')"),
        ("dds.hash_key('a', null)", "dds.hash_key('a')"),
        ("dds.hash_key('-')", "dds.hash_key(null)"),
        ("dds.hash_key('a')", "dds.hash_key('A')"),
        ("dds.hash_key('a')", "dds.hash_key(' a')"),
        ("dds.hash_key('1:a')", "dds.hash_key('a', null)"),
    ],
)
def test_different_business_keys_have_different_hash_keys(pipeline: Pipeline, left: str, right: str) -> None:
    assert pipeline.value(f"select {left} <> {right}")


def test_the_pipeline_can_not_change_the_vault_or_the_logs(pipeline: Pipeline) -> None:
    rights = pipeline.rows(
        """
        select table_schema || '.' || table_name as name
        from information_schema.role_table_grants
        where
            grantee = 'dwh_etl'
            and privilege_type in ('UPDATE', 'DELETE', 'TRUNCATE')
            and (
                (table_schema = 'dds' and table_name <> 'counter_queue')
                or (table_schema = 'stg' and table_name like '%%_log')
                or table_name = 'tag_events'
            )
        """
    )
    assert rights == []


def test_no_sql_reads_a_time_that_a_source_has_written() -> None:
    """PostgreSQL reads the hour that comes twice as the other one: what a source writes is read in Python alone."""
    fields = ("update_ts", "update_ts_utc", "sent_dttm", "dttm", "date")
    for path in sorted((REPO / "sql").glob("**/*.sql")):
        if path.name != "schema.sql":
            text = path.read_text(encoding="utf-8")
            assert [field for field in fields if f"->> '{field}'" in text or f"-> '{field}'" in text] == [], path


def test_the_recipe_names_tests_that_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (REPO / "docs/add-a-table.md").read_text(encoding="utf-8")))
    code = "".join(path.read_text(encoding="utf-8") for path in (REPO / "tests").glob("**/*.py"))
    assert len(named) > 10
    assert [name for name in sorted(named) if f"def {name}(" not in code] == []
