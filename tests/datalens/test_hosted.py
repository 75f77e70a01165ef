"""The command against a server of our own, through the real SDK: what is written, when, and what is said."""

import re
import socket
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import datalens_sdk
import pytest
import yaml

from datalens import __main__ as command
from datalens.definitions import BOARD, load, parse
from tests.datalens.server import ORGANIZATION, TOKEN, WORKBOOK, DataLens, RefusedError

pytestmark = pytest.mark.enable_socket

PASSWORD = "s3cret-of-bi"
Files = dict[str, Any]


VIEWS = {f"cdm.{each.view}": {column.name: column.type for column in each.columns} for each in load().datasets.values()}


@pytest.fixture
def server() -> Iterator[DataLens]:
    with DataLens(VIEWS) as server:
        yield server


def environment(server: DataLens) -> dict[str, str]:
    return {
        "DATALENS_WORKBOOK_ID": WORKBOOK,
        "DATALENS_ORG_ID": ORGANIZATION,
        "DATALENS_IAM_TOKEN": TOKEN,
        "DATALENS_BASE_URL": server.url,
        "DATALENS_DB_HOST": "db.example.org",
        "DWH_BI_PASSWORD": PASSWORD,
    }


@pytest.fixture
def env(server: DataLens) -> dict[str, str]:
    return environment(server)


@pytest.fixture(scope="module")
def entries_of_a_first_run() -> dict[str, Any]:
    with DataLens(VIEWS) as server:
        assert command.main([], environment(server)) == 0
        return server.entries


@pytest.fixture
def filled(server: DataLens, entries_of_a_first_run: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> DataLens:
    """The server after a first run."""
    server.entries = deepcopy(entries_of_a_first_run)
    capsys.readouterr()
    return server


def redefine(monkeypatch: pytest.MonkeyPatch, change: Callable[[Files], Any]) -> None:
    files = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in BOARD.glob("*.yaml")}
    change(files)
    board = parse(files["connection"], files["datasets"], files["charts"], files["dashboard"])
    monkeypatch.setattr(command, "load", lambda: board)


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_first_run_creates_everything_once(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    board = load()
    assert command.main([], env) == 0
    assert [operation for operation, body in server.calls if PASSWORD in str(body)] == ["createConnection"]
    writes = server.writes()
    assert {operation: writes.count(operation) for operation in writes} == {
        "createConnection": 1,
        "createDataset": len(board.datasets),
        "createWizardChart": len(board.charts),
        "createDashboard": 1,
    }
    assert f"{len(writes)} created, 0 changed, 0 as defined" in capsys.readouterr().out


def test_a_second_run_writes_nothing(filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    before = deepcopy(filled.entries)
    assert command.main([], env) == 0
    assert filled.writes() == []
    assert filled.entries == before
    assert capsys.readouterr().out == f"0 created, 0 changed, {len(filled.entries)} as defined\n"


def test_a_dry_run_on_an_empty_workbook_writes_nothing_and_needs_no_password(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    del env["DWH_BI_PASSWORD"]
    assert command.main(["--dry-run"], env) == 0
    assert server.writes() == []
    assert "51 to create, 0 to change, 0 as defined" in capsys.readouterr().out


def test_everything_refers_to_the_ids_that_the_server_gave(filled: DataLens) -> None:
    connection = filled.entry("connection", "Хранилище тегов гостей")
    datasets = {each["id"]: each for each in filled.entries.values() if each["scope"] == "dataset"}
    charts = {each["id"]: each for each in filled.entries.values() if each["scope"] == "widget"}
    assert {source["connection_id"] for each in datasets.values() for source in each["dataset"]["sources"]} == {
        connection["id"]
    }
    for chart in charts.values():
        (dataset_id,) = chart["data"]["sources"]["datasetsIds"]
        guids = {field["guid"] for field in datasets[dataset_id]["dataset"]["result_schema"]}
        placed = set(re.findall(r"'guid': '(\w+)'", str(chart["data"])))
        assert placed
        assert placed <= guids
    shown = set(re.findall(r"'chartId': '(\w+)'", str(filled.entry("dash", "Теги гостей")["data"])))
    assert shown == set(charts)


def test_the_sdk_finds_no_fault_in_the_dashboard(filled: DataLens) -> None:
    """Its own checks: ids, places, charts and fields that are not there."""
    auth = datalens_sdk.StaticYCIAMAuthProvider(org_id=ORGANIZATION, token=TOKEN)
    with datalens_sdk.DataLensClientYC(auth=auth, base_url=filled.url) as client:
        dashboard = client.get.dashboard(by_id=filled.entry("dash", "Теги гостей")["id"])
        assert dashboard.validate() == ()
        assert datalens_sdk.validate_dashboard_refs(client, dashboard) == ()
        filled.entries.pop(filled.entry("widget", "Отставание, с")["id"])
        assert len(datalens_sdk.validate_dashboard_refs(client, dashboard)) == 1


def test_a_dataset_keeps_the_types_that_datalens_saw(filled: DataLens) -> None:
    (source,) = filled.entry("dataset", "Свежесть")["dataset"]["sources"]
    assert {column["name"]: column["user_type"] for column in source["raw_schema"]}["lag_s"] == "float"
    assert source["parameters"] == {"schema_name": "cdm", "table_name": "v_freshness"}


def test_enterprise_is_filled_the_same_way(server: DataLens, env: dict[str, str]) -> None:
    del env["DATALENS_ORG_ID"], env["DATALENS_IAM_TOKEN"]
    env |= {"DATALENS_INSTALLATION": "enterprise", "DATALENS_OAUTH_TOKEN": TOKEN}
    assert command.main([], env) == 0
    assert len(server.writes()) == 51
    assert command.main([], env) == 0
    assert server.writes() == []


def test_entries_beyond_the_first_page_are_found(filled: DataLens, env: dict[str, str]) -> None:
    foreign = {
        f"own{number}": {"id": f"own{number}", "scope": "widget", "name": f"Свой {number}"} for number in range(250)
    }
    filled.entries = foreign | filled.entries
    assert command.main([], env) == 0
    assert filled.writes() == []


# --- changed definitions ---------------------------------------------------------------------------------------------


def first_chart_of_funnel(files: Files, **new: Any) -> None:
    files["charts"]["near_1"].update(new)


CHANGES: dict[str, tuple[Callable[[Files], Any], list[str], str]] = {
    "order of a table": (
        lambda f: f["charts"]["tags_table"].update(sort={"tag": "asc"}),
        ["updateWizardChart"],
        "update chart «Действующие теги»",
    ),
    "filter of a number": (
        lambda f: first_chart_of_funnel(f, filters={"orders_missing": {"EQ": ["2"]}}),
        ["updateWizardChart"],
        "data.sources.filters[tag_funnel_orders_missing].filter.value[0]: 1 -> 2",
    ),
    "kind of a chart": (
        lambda f: f["charts"]["audience_by_day"].update(kind="column"),
        ["updateWizardChart"],
        "data.visualization.type: line -> column",
    ),
    "description of a chart": (
        lambda f: f["charts"]["lag"].update(description="Другое"),
        ["updateWizardChart", "updateDashboard"],
        "annotation.description",
    ),
    "title of a field": (
        lambda f: f["datasets"]["freshness"]["fields"].update(lag_s=["float", "Опоздание, с", "max"]),
        ["updateDataset"],
        "field Опоздание, с.title: Отставание, с -> Опоздание, с",
    ),
    "aggregation of a field": (
        lambda f: f["datasets"]["freshness"]["fields"].update(lag_s=["float", "Отставание, с", "min"]),
        ["updateDataset"],
        "field Отставание, с.aggregation: max -> min",
    ),
    "formula": (
        lambda f: f["datasets"]["audience_daily"]["formulas"]["growth"].update(formula="SUM([Получили тег])"),
        ["updateDataset"],
        "field Прирост.formula",
    ),
    "a new column": (
        lambda f: f["datasets"]["freshness"]["fields"].update(new=["integer", "Новое", "sum"]),
        ["updateDataset"],
        "field Новое: none -> integer",
    ),
    "a new formula": (
        lambda f: f["datasets"]["tags"]["formulas"].update(
            new={"title": "Новое", "type": "integer", "measure": True, "formula": "MAX([Порог])"}
        ),
        ["updateDataset"],
        "field Новое: none -> integer",
    ),
    "a formula instead of a column": (
        lambda f: (
            f["datasets"]["freshness"]["fields"].pop("rules_waiting"),
            f["datasets"]["freshness"].update(
                formulas={
                    "rules_waiting": {
                        "title": "Правил ждут",
                        "type": "integer",
                        "measure": True,
                        "formula": "SUM([Сообщений ждут])",
                    }
                }
            ),
        ),
        ["updateDataset"],
        "field Правил ждут.calc_mode: direct -> formula",
    ),
    "another view": (
        lambda f: f["datasets"]["freshness"].update(view="v_tags"),
        ["updateDataset"],
        "source.table_name: v_freshness -> v_tags",
    ),
    "description of a dataset": (
        lambda f: f["datasets"]["freshness"].update(description="Другое"),
        ["updateDataset"],
        "description: Одна строка",
    ),
    "cache of the connection": (
        lambda f: f["connection"].update(cache_ttl_s=300),
        ["updateConnection"],
        "cache_ttl_sec: 60 -> 300",
    ),
    "text of a tab": (
        lambda f: f["dashboard"]["tabs"][0].update(text="Другое"),
        ["updateDashboard"],
        "data.tabs[audiences].items[audiences_text].data.text",
    ),
    "a tab less": (
        lambda f: f["dashboard"]["tabs"][5]["rows"].pop(1) and f["charts"].pop("freshness_table"),
        ["updateDashboard"],
        "data.tabs[quality].items: 8 entries -> 7 entries",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_definition_changes_just_its_entry(
    filled: DataLens,
    env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    change, writes, words = CHANGES[what]
    redefine(monkeypatch, change)
    assert command.main(["--dry-run"], env) == 0
    assert filled.writes() == []
    assert words in capsys.readouterr().out
    assert command.main([], env) == 0
    assert filled.writes() == writes
    assert words in capsys.readouterr().out
    assert command.main([], env) == 0
    assert filled.writes() == []
    assert "0 created, 0 changed" in capsys.readouterr().out


def test_a_new_chart_is_created_and_shown(
    filled: DataLens, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(files: Files) -> None:
        files["charts"]["new"] = {"title": "Новый график", "kind": "number", "dataset": "tags", "field": "guests"}
        files["dashboard"]["tabs"][0]["rows"].append({"height": 6, "charts": ["new"]})

    redefine(monkeypatch, add)
    assert command.main([], env) == 0
    assert filled.writes() == ["createWizardChart", "updateDashboard"]
    assert filled.entry("widget", "Новый график")["id"] in str(filled.entry("dash", "Теги гостей"))


def test_the_same_dataset_can_be_changed_twice(
    filled: DataLens, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses a save that does not name the revision that was read."""
    for title in ("Первое", "Второе"):
        redefine(
            monkeypatch,
            lambda f, title=title: f["datasets"]["freshness"]["fields"].update(lag_s=["float", title, "max"]),
        )
        assert command.main([], env) == 0
        assert filled.writes() == ["updateDataset"]


def test_another_server_of_the_database_takes_the_password_along(
    filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    env |= {"DATALENS_DB_HOST": "other.example.org", "DWH_BI_PASSWORD": "another"}
    assert command.main([], env) == 0
    assert filled.writes() == ["updateConnection"]
    assert "host: db.example.org -> other.example.org" in capsys.readouterr().out
    assert filled.entry("connection", "Хранилище тегов гостей")["fields"]["password"] == "another"


def test_the_password_is_written_again_only_when_asked(filled: DataLens, env: dict[str, str]) -> None:
    env["DWH_BI_PASSWORD"] = "another"
    assert command.main([], env) == 0
    assert filled.writes() == []
    assert command.main(["--set-password", "--dry-run"], env) == 0
    assert filled.writes() == []
    assert command.main(["--set-password"], env) == 0
    assert filled.writes() == ["updateConnection"]
    assert filled.entry("connection", "Хранилище тегов гостей")["fields"]["password"] == "another"


# --- drift -----------------------------------------------------------------------------------------------------------


def hand_filter(server: DataLens) -> None:
    chart = server.entry("widget", "Аудитория тега по дням")
    guid, (dataset_id,) = "audience_daily_tag", chart["data"]["sources"]["datasetsIds"]
    operation = {"operation": {"code": "IN"}, "value": ["pizza_lover"]}
    chart["data"]["sources"]["filters"] = [{"guid": guid, "datasetId": dataset_id, "filter": operation}]


def hand_field(server: DataLens, guid: str, **new: Any) -> None:
    fields = server.entry("dataset", "Свежесть")["dataset"]["result_schema"]
    next(field for field in fields if field["guid"] == guid).update(new)


DRIFTS: dict[str, tuple[Callable[[DataLens], Any], str]] = {
    "a filter was added to a chart": (hand_filter, "data.sources.filters: 1 entry -> none"),
    "a column was taken from a table": (
        lambda s: s.entry("widget", "Действующие теги")["data"]["visualization"]["columns"]["items"].pop(),
        "data.visualization.columns.items: 5 entries -> 6 entries",
    ),
    "a field was renamed": (
        lambda s: hand_field(s, "freshness_lag_s", title="Лаг"),
        "field Отставание, с.title: Лаг -> Отставание, с",
    ),
    "a field was deleted": (
        lambda s: s.entry("dataset", "Свежесть")["dataset"]["result_schema"].pop(),
        "field Отставание, с: none -> float",
    ),
    "a field reads another column": (
        lambda s: hand_field(s, "freshness_lag_s", source="dead_letters"),
        "field Отставание, с.source: dead_letters -> lag_s",
    ),
    "a dataset reads another view": (
        lambda s: s.entry("dataset", "Свежесть")["dataset"]["sources"][0]["parameters"].update(table_name="v_tags"),
        "source.table_name: v_tags -> v_freshness",
    ),
    "the connection goes elsewhere": (
        lambda s: s.entry("connection", "Хранилище тегов гостей")["fields"].update(port=6432),
        "port: 6432 -> 5432",
    ),
    "a tab was added": (
        lambda s: s.entry("dash", "Теги гостей")["data"]["tabs"].append({"id": "own", "title": "Своя"}),
        "data.tabs: 8 entries -> 7 entries",
    ),
    "a chart was moved": (
        lambda s: s.entry("dash", "Теги гостей")["data"]["tabs"][0]["layout"][2].update(x=1),
        "data.tabs[audiences].layout[2].x: 1 -> 0",
    ),
}


@pytest.mark.parametrize("what", DRIFTS)
def test_what_was_changed_by_hand_is_shown_and_put_right(
    filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str], what: str
) -> None:
    drift, words = DRIFTS[what]
    drift(filled)
    drifted = deepcopy(filled.entries)
    assert command.main(["--dry-run"], env) == 0
    told = capsys.readouterr().out
    assert words in told
    assert "0 to create, 1 to change, 50 as defined" in told
    assert filled.writes() == []
    assert filled.entries == drifted
    assert command.main([], env) == 0
    assert len(filled.writes()) == 1
    assert command.main([], env) == 0
    assert filled.writes() == []


def test_a_deleted_entry_comes_back_where_it_was_used(filled: DataLens, env: dict[str, str]) -> None:
    old = filled.entry("widget", "Отставание, с")["id"]
    del filled.entries[old]
    filled.entries["spare"] = {"id": "spare", "scope": "widget", "name": "Свой график"}
    assert command.main([], env) == 0
    assert filled.writes() == ["createWizardChart", "updateDashboard"]
    assert f"'{filled.entry('widget', 'Отставание, с')['id']}'" in str(filled.entry("dash", "Теги гостей")["data"])


def test_what_others_added_is_left_alone(filled: DataLens, env: dict[str, str]) -> None:
    own_field = {"guid": "own", "title": "Свое поле", "calc_mode": "formula", "formula": "1", "type": "DIMENSION"}
    filled.entry("dataset", "Свежесть")["dataset"]["result_schema"].append(own_field)
    filled.entries["own"] = {"id": "own", "scope": "dash", "name": "Свой дашборд"}
    assert command.main([], env) == 0
    assert filled.writes() == []


def test_what_the_server_keeps_otherwise_is_told(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.forget = {"sort"}
    assert command.main([], env) == 0
    assert "DataLens keeps it otherwise: data.visualization.sort.items: none -> 1 entry" in capsys.readouterr().out


# --- errors ----------------------------------------------------------------------------------------------------------


def failure(env: dict[str, str], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run, expect an error in clear words; return them."""
    assert command.main(list(arguments), env) == 1
    told = capsys.readouterr()
    assert told.err.startswith("datalens: ")
    assert "Traceback" not in told.err
    assert PASSWORD not in told.out + told.err
    return told.err


def test_a_refused_token(server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    env["DATALENS_IAM_TOKEN"] = "old-token"
    told = failure(env, capsys)
    assert "DataLens refused the token" in told
    assert "yc iam create-token" in told
    assert "old-token" not in told


def test_no_right_to_write(server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    server.refuse["createConnection"] = RefusedError(403, "ERR.US.FORBIDDEN", "Forbidden")
    told = failure(env, capsys)
    assert f"may not do this in workbook {WORKBOOK}" in told
    assert "request-1" in told


def test_an_unknown_workbook(server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    env["DATALENS_WORKBOOK_ID"] = "elsewhere"
    assert "is workbook elsewhere in the organization" in failure(env, capsys)
    assert server.writes() == []


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_that_is_not_well_and_the_run_after_it(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str], status: int
) -> None:
    server.refuse["createDashboard"] = RefusedError(status, "ERR.UI_API", "Something went wrong")
    assert "try later. What was written stays" in failure(env, capsys)
    written = len(server.entries)
    assert written == 50
    del server.refuse["createDashboard"]
    server.calls.clear()
    assert command.main([], env) == 0
    assert server.writes() == ["createDashboard"]


def test_somebody_else_at_the_same_entry(
    filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    hand_filter(filled)
    filled.refuse["updateWizardChart"] = RefusedError(423, "ERR.US.ENTRY_IS_LOCKED", "The entry is locked")
    assert "Somebody else is changing this entry" in failure(env, capsys)


def test_a_server_that_is_not_there(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        env["DATALENS_BASE_URL"] = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert "DataLens cannot be reached" in failure(env, capsys)


def test_a_view_that_datalens_cannot_read(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.views = {}
    told = failure(env, capsys)
    assert "DataLens cannot read cdm.v_tags through the connection" in told
    assert "--set-password" in told
    assert not any(entry["scope"] == "dataset" for entry in server.entries.values())


def test_an_answer_that_the_sdk_does_not_know(
    filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    filled.say["getWizardChart"] = {"chart": "of another version"}
    assert "answers in a form that this datalens-sdk does not know" in failure(env, capsys)


def test_two_entries_of_one_title(filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    filled.entries["twin"] = {"id": "twin", "scope": "widget", "name": "Отставание, с"}
    assert "2 entries of the workbook are called 'Отставание, с'" in failure(env, capsys)


def test_a_secret_that_the_server_repeats_is_not_printed(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuse["createConnection"] = RefusedError(400, "ERR", f"bad field password: {PASSWORD}")
    assert "bad field password: ***" in failure(env, capsys)


def test_no_password_where_one_is_needed(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    del env["DWH_BI_PASSWORD"]
    assert "set DWH_BI_PASSWORD" in failure(env, capsys)
    assert server.writes() == []


@pytest.mark.parametrize(
    "missing", ["DATALENS_WORKBOOK_ID", "DATALENS_ORG_ID", "DATALENS_IAM_TOKEN", "DATALENS_DB_HOST"]
)
def test_a_variable_that_is_not_set(env: dict[str, str], capsys: pytest.CaptureFixture[str], missing: str) -> None:
    del env[missing]
    assert f"not set: {missing}." in failure(env, capsys)


def test_enterprise_needs_its_address(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    del env["DATALENS_BASE_URL"]
    env["DATALENS_INSTALLATION"] = "enterprise"
    assert "not set: DATALENS_BASE_URL." in failure(env, capsys)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DATALENS_INSTALLATION", "cloud", "neither yc nor enterprise"),
        ("DATALENS_DB_PORT", "five", "not a number"),
        ("DATALENS_DB_SSL", "yes", "neither on nor off"),
    ],
)
def test_a_variable_that_makes_no_sense(
    env: dict[str, str], capsys: pytest.CaptureFixture[str], name: str, value: str, words: str
) -> None:
    env[name] = value
    assert words in failure(env, capsys)


def test_a_definition_that_contradicts_itself_is_told_before_anything_is_sent(
    server: DataLens,
    env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for path in BOARD.glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("field: lag_s", "field: lag")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(command, "load", lambda: load(tmp_path))
    assert "chart lag: there is no field 'lag'" in failure(env, capsys)
    assert server.calls == []


def test_help_names_every_variable_and_needs_none(capsys: pytest.CaptureFixture[str], env: dict[str, str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"], {})
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert [name for name in env if name not in told] == []
