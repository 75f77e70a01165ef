"""The command against an API in memory, through the real SDK: what is written, when, and what is said."""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import datalens_sdk
import httpx
import pytest

from datalens import __main__ as command
from datalens.definitions import load, parse
from tests.datalens.board import GONE, Files, put, small
from tests.datalens.server import ORGANIZATION, TOKEN, WORKBOOK, DataLens

PASSWORD = "s3cret-of-bi"
ENTRIES = 9  # of the small board


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> DataLens:
    """An empty workbook; the database has the views of the board and of the small one."""
    datasets = [*load().datasets.values(), *parse(small()).datasets.values()]
    views = {f"cdm.{each.view}": {column.name: column.type for column in each.columns} for each in datasets}
    server = DataLens(views)
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", server.handle)
    return server


@pytest.fixture
def env() -> dict[str, str]:
    return {
        "DATALENS_WORKBOOK_ID": WORKBOOK,
        "DATALENS_ORG_ID": ORGANIZATION,
        "DATALENS_IAM_TOKEN": TOKEN,
        "DATALENS_BASE_URL": "http://datalens.test",
        "DATALENS_DB_HOST": "db.example.org",
        "DWH_BI_PASSWORD": PASSWORD,
    }


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """The small board, in force: a test may change it between runs."""
    files = small()
    monkeypatch.setattr(command, "load", lambda: parse(files))
    return files


@pytest.fixture
def filled(server: DataLens, files: Files, env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> DataLens:
    """The server after a first run of the small board."""
    assert command.main([], env) == 0
    server.calls.clear()
    capsys.readouterr()
    return server


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("installation", ["yc", "enterprise"])
def test_a_first_run_creates_everything_once_and_a_second_nothing(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str], installation: str
) -> None:
    if installation == "enterprise":
        del env["DATALENS_ORG_ID"], env["DATALENS_IAM_TOKEN"]
        env |= {"DATALENS_INSTALLATION": "enterprise", "DATALENS_OAUTH_TOKEN": TOKEN}
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
    assert capsys.readouterr().out.endswith(f"{len(writes)} created, 0 changed, 0 as defined\n")
    before = deepcopy(server.entries)
    assert command.main([], env) == 0
    assert server.writes() == []
    assert server.entries == before
    assert capsys.readouterr().out == f"0 created, 0 changed, {len(writes)} as defined\n"


def test_everything_refers_to_the_ids_that_the_server_gave(server: DataLens, env: dict[str, str]) -> None:
    """The SDK's own checks look for ids, places, charts and fields that are not there."""
    assert command.main([], env) == 0
    stored = server.entries.values()
    datasets = {each["id"]: each["content"]["dataset"] for each in stored if each["scope"] == "dataset"}
    (connection_id,) = (each["id"] for each in stored if each["scope"] == "connection")
    assert {source["connection_id"] for each in datasets.values() for source in each["sources"]} == {connection_id}
    charts = {each["id"]: each["content"]["data"] for each in stored if each["scope"] == "widget"}
    for data in charts.values():
        (dataset_id,) = data["sources"]["datasetsIds"]
        placed = set(re.findall(r"'guid': '(\w+)'", str(data)))
        assert placed
        assert placed <= {field["guid"] for field in datasets[dataset_id]["result_schema"]}
    (dash_id,) = (each["id"] for each in stored if each["scope"] == "dash")
    auth = datalens_sdk.StaticYCIAMAuthProvider(org_id=ORGANIZATION, token=TOKEN)
    with datalens_sdk.DataLensClientYC(auth=auth, base_url=env["DATALENS_BASE_URL"]) as client:
        dashboard = client.get.dashboard(by_id=dash_id)
        assert dashboard.validate() == ()
        assert datalens_sdk.validate_dashboard_refs(client, dashboard) == ()
        del server.entries[next(iter(charts))]
        assert len(datalens_sdk.validate_dashboard_refs(client, dashboard)) == 1


def test_a_dry_run_on_an_empty_workbook_writes_nothing_and_needs_no_password(
    server: DataLens, files: Files, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    del env["DWH_BI_PASSWORD"]
    assert command.main(["--dry-run"], env) == 0
    assert server.writes() == []
    assert f"{ENTRIES} to create, 0 to change, 0 as defined" in capsys.readouterr().out


def test_a_dataset_keeps_the_types_that_datalens_saw(server: DataLens, files: Files, env: dict[str, str]) -> None:
    server.views["cdm.v_tags"]["guests"] = "float"  # type: ignore[index]
    assert command.main([], env) == 0
    (source,) = content(server)["sources"]
    assert {column["name"]: column["user_type"] for column in source["raw_schema"]}["guests"] == "float"
    assert source["parameters"] == {"schema_name": "cdm", "table_name": "v_tags"}


def test_entries_beyond_the_first_page_are_found(filled: DataLens, env: dict[str, str]) -> None:
    own = {f"own{n}": {"id": f"own{n}", "scope": "widget", "name": f"Свой {n}", "content": {}} for n in range(250)}
    filled.entries = own | filled.entries
    assert command.main([], env) == 0
    assert filled.writes() == []


# --- changed definitions ---------------------------------------------------------------------------------------------


TAGS, TAB = "datasets.tags", "dashboard.tabs.0"
CHART, DASH, DATASET = "updateWizardChart", "updateDashboard", "updateDataset"
NEW = {"title": "Новое", "type": "integer", "measure": True, "formula": "MAX([Гостей])"}
MORE = {"title": "Ещё", "kind": "number", "dataset": "tags", "field": "twice"}
# What is put where -> what is written, what is said.
CHANGES: list[tuple[dict[str, Any], list[str], str]] = [
    ({"charts.list.sort": {"tag": "asc"}}, [CHART], "update chart «Список»"),
    ({"charts.list.filters.tag.EQ": ["sushi"]}, [CHART], "filters[tags_tag].filter.value[0]: pizza -> sushi"),
    ({"charts.days.kind": "column"}, [CHART], "data.visualization.type: line -> column"),
    ({"charts.total.description": "Другое"}, [CHART, DASH], "annotation.description: none -> Другое"),
    ({f"{TAGS}.fields.tag": ["string", "Метка"]}, [DATASET], "fields.tags_tag.title: Тег -> Метка"),
    ({f"{TAGS}.fields.guests.2": "max"}, [DATASET], "fields.tags_guests.aggregation: sum -> max"),
    ({f"{TAGS}.formulas.twice.formula": "SUM([Гостей])"}, [DATASET], "formula: 2 * SUM([Гостей]) -> SUM([Гостей])"),
    ({f"{TAGS}.fields.new": ["integer", "Новое", "sum"]}, [DATASET], "fields.tags_new.title: none -> Новое"),
    ({f"{TAGS}.formulas.new": NEW}, [DATASET], "fields.tags_new.formula: none -> MAX([Гостей])"),
    (
        {f"{TAGS}.formulas": GONE, f"{TAGS}.fields.twice": ["integer", "Дважды", "sum"]},
        [DATASET],
        "fields.tags_twice.calc_mode: formula -> direct",
    ),
    ({f"{TAGS}.view": "v_freshness"}, [DATASET], "sources[0].table_name: v_tags -> v_freshness"),
    ({f"{TAGS}.description": "Другое"}, [DATASET], "description: Кто с тегом. -> Другое"),
    ({"connection.cache_ttl_s": 300}, ["updateConnection"], "cache_ttl_sec: 60 -> 300"),
    ({f"{TAB}.text": "Другое"}, [DASH], "data.tabs[one].items[one_text].data.text: Текст. -> Другое"),
    ({"charts.total": GONE, f"{TAB}.rows.0": GONE}, [DASH], "data.tabs[one].items: 5 entries -> 4 entries"),
    ({"charts.more": MORE, f"{TAB}.rows.0.charts.1": "more"}, ["createWizardChart", DASH], "create chart «Ещё»"),
]


@pytest.mark.parametrize(("change", "writes", "words"), CHANGES, ids=[words for _, _, words in CHANGES])
def test_a_changed_definition_changes_just_its_entry(
    filled: DataLens,
    files: Files,
    env: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    writes: list[str],
    words: str,
) -> None:
    for path, value in change.items():
        put(files, path, value)
    assert command.main(["--dry-run"], env) == 0
    assert filled.writes() == []
    assert words in capsys.readouterr().out
    assert command.main([], env) == 0
    assert filled.writes() == writes
    assert words in capsys.readouterr().out
    assert command.main([], env) == 0
    assert filled.writes() == []
    assert "0 created, 0 changed" in capsys.readouterr().out


def test_the_same_dataset_can_be_changed_twice(filled: DataLens, files: Files, env: dict[str, str]) -> None:
    """The server refuses a save that does not name the revision that was read."""
    for title in ("Первое", "Второе"):
        put(files, f"{TAGS}.fields.day", ["date", title])
        assert command.main([], env) == 0
        assert filled.writes() == ["updateDataset"]


def test_another_server_of_the_database_takes_the_password_along(
    filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    env |= {"DATALENS_DB_HOST": "other.example.org", "DWH_BI_PASSWORD": "another"}
    assert command.main([], env) == 0
    assert filled.writes() == ["updateConnection"]
    assert "host: db.example.org -> other.example.org" in capsys.readouterr().out
    assert content(filled, "Хранилище")["password"] == "another"


def test_the_password_is_written_again_only_when_asked(filled: DataLens, env: dict[str, str]) -> None:
    env["DWH_BI_PASSWORD"] = "another"
    for arguments in ([], ["--set-password", "--dry-run"]):
        assert command.main(arguments, env) == 0
        assert filled.writes() == []
    assert command.main(["--set-password"], env) == 0
    assert filled.writes() == ["updateConnection"]
    assert content(filled, "Хранилище")["password"] == "another"


# --- drift -----------------------------------------------------------------------------------------------------------


def hand_filter(server: DataLens) -> None:
    data = content(server, "По дням")
    (dataset_id,) = data["sources"]["datasetsIds"]
    one = {"guid": "tags_tag", "datasetId": dataset_id, "filter": {"operation": {"code": "IN"}, "value": ["sushi"]}}
    data["sources"]["filters"] = [one]


def content(server: DataLens, title: str = "Теги") -> Any:
    """Return the inner part of a dataset, a chart or the dashboard."""
    entry = next(each["content"] for each in server.entries.values() if each["name"] == title)
    return entry.get("dataset") or entry.get("data") or entry


DRIFTS: dict[str, Callable[[DataLens], Any]] = {
    "data.sources.filters: 1 entry -> none": hand_filter,
    "data.visualization.columns.items: 1 entry -> 2 entries": lambda s: content(s, "Список")["visualization"][
        "columns"
    ]["items"].pop(),
    "fields.tags_tag.title: Метка -> Тег": lambda s: content(s)["result_schema"][0].update(title="Метка"),
    "fields.tags_twice.title: none -> Дважды": lambda s: content(s)["result_schema"].pop(),
    "fields.tags_tag.source: day -> tag": lambda s: content(s)["result_schema"][0].update(source="day"),
    "sources[0].table_name: v_x -> v_tags": lambda s: content(s)["sources"][0]["parameters"].update(table_name="v_x"),
    "sources: 2 entries -> 1 entry": lambda s: content(s)["sources"].append({"connection_id": "x", "parameters": {}}),
    "port: 6432 -> 5432": lambda s: content(s, "Хранилище").update(port=6432),
    "data.tabs: 3 entries -> 2 entries": lambda s: content(s, "Доска")["tabs"].append({"id": "own", "title": "Своя"}),
    "data.tabs[one].layout[2].x: 1 -> 0": lambda s: content(s, "Доска")["tabs"][0]["layout"][2].update(x=1),
}


@pytest.mark.parametrize("words", DRIFTS)
def test_what_was_changed_by_hand_is_shown_and_put_right(
    filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str], words: str
) -> None:
    DRIFTS[words](filled)
    drifted = deepcopy(filled.entries)
    assert command.main(["--dry-run"], env) == 0
    told = capsys.readouterr().out
    assert words in told
    assert f"0 to create, 1 to change, {ENTRIES - 1} as defined" in told
    assert filled.entries == drifted
    assert command.main([], env) == 0
    assert len(filled.writes()) == 1
    assert command.main([], env) == 0
    assert filled.writes() == []


def test_a_deleted_entry_comes_back_where_it_was_used(filled: DataLens, env: dict[str, str]) -> None:
    (old,) = (each["id"] for each in filled.entries.values() if each["name"] == "Всего")
    del filled.entries[old]
    filled.entries["spare"] = {"id": "spare", "scope": "widget", "name": "Свой график", "content": {}}
    assert command.main([], env) == 0
    assert filled.writes() == ["createWizardChart", "updateDashboard"]
    (new,) = (each["id"] for each in filled.entries.values() if each["name"] == "Всего")
    assert f"'{new}'" in str(content(filled, "Доска"))


def test_what_others_added_is_left_alone(filled: DataLens, files: Files, env: dict[str, str]) -> None:
    own = {"guid": "own", "title": "Свое поле", "calc_mode": "formula", "formula": "1", "type": "DIMENSION"}
    content(filled)["result_schema"].append(own)
    filled.entries["own"] = {"id": "own", "scope": "dash", "name": "Свой дашборд", "content": {}}
    assert command.main([], env) == 0
    assert filled.writes() == []
    put(files, f"{TAGS}.fields.day", ["date", "Дата"])
    assert command.main([], env) == 0
    assert filled.writes() == ["updateDataset"]
    assert own in content(filled)["result_schema"]


def test_what_the_server_keeps_otherwise_is_told(
    server: DataLens, files: Files, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def forgetful(body: dict[str, Any]) -> Any:
        shown = server.answer("getWizardChart", body)
        shown["entry"]["data"]["visualization"].pop("sort", None)
        return shown

    server.instead["getWizardChart"] = forgetful
    assert command.main([], env) == 0
    assert "DataLens keeps it otherwise: data.visualization.sort.items: none -> 1 entry" in capsys.readouterr().out


# --- errors ----------------------------------------------------------------------------------------------------------


def failure(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run, expect an error in clear words; return them."""
    assert command.main([], env) == 1
    told = capsys.readouterr()
    assert told.err.startswith("datalens: ")
    assert "Traceback" not in told.err
    assert not any(secret in told.out + told.err for secret in (PASSWORD, "old-token"))
    return told.err


REFUSALS = {
    ("getWorkbook", 401): "DataLens refused the token. An IAM token lives 12 hours at most: yc iam create-token",
    ("createConnection", 403): f"may not do this in workbook {WORKBOOK}",
    ("getWorkbook", 404): f"is workbook {WORKBOOK} in the organization",
    ("createConnection", 409): "Somebody else is changing this entry",
    ("createConnection", 423): "Somebody else is changing this entry",
    ("createConnection", 429): "try later. What was written stays",
    ("createConnection", 500): "try later. What was written stays",
    ("createConnection", 503): "try later. What was written stays",
    ("createConnection", 400): "bad field password: ***",
}


@pytest.mark.parametrize(("operation", "status"), REFUSALS)
def test_a_refusal_is_told_with_what_to_do(
    server: DataLens,
    files: Files,
    env: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    operation: str,
    status: int,
) -> None:
    server.refuse(operation, status, f"bad field password: {PASSWORD}")
    told = failure(env, capsys)
    assert REFUSALS[operation, status] in told
    assert "request-1" in told
    assert server.entries == {}


def test_a_wrong_token_is_refused_and_not_printed(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    env["DATALENS_IAM_TOKEN"] = "old-token"
    assert "DataLens refused the token" in failure(env, capsys)


def test_a_run_goes_on_where_another_stopped(
    server: DataLens, files: Files, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuse("createDashboard", 502)
    assert "What was written stays" in failure(env, capsys)
    assert len(server.entries) == ENTRIES - 1
    server.instead.clear()
    server.calls.clear()
    assert command.main([], env) == 0
    assert server.writes() == ["createDashboard"]


def test_a_server_that_is_not_there(
    server: DataLens, env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: Any, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", refused)
    assert "DataLens cannot be reached" in failure(env, capsys)


def test_a_view_that_datalens_cannot_read(
    server: DataLens, files: Files, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.views = {}
    told = failure(env, capsys)
    assert "DataLens cannot read cdm.v_tags through the connection" in told
    assert "--set-password" in told
    assert server.writes() == ["createConnection"]


def test_an_answer_that_the_sdk_does_not_know(
    filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    filled.instead["getWizardChart"] = lambda _: {"chart": "of another version"}
    assert "answers in a form that this datalens-sdk does not know" in failure(env, capsys)


def test_two_entries_of_one_title(filled: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    filled.entries["twin"] = {"id": "twin", "scope": "widget", "name": "Всего", "content": {}}
    assert "2 entries of the workbook are called 'Всего'" in failure(env, capsys)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"DATALENS_WORKBOOK_ID": ""}, "DATALENS_WORKBOOK_ID: Field required"),
        (
            {"DATALENS_ORG_ID": "", "DATALENS_IAM_TOKEN": ""},
            "DATALENS_ORG_ID: Field required; DATALENS_IAM_TOKEN: Field",
        ),
        ({"DATALENS_DB_HOST": ""}, "DATALENS_DB_HOST: Field required"),
        ({"DATALENS_INSTALLATION": "enterprise", "DATALENS_BASE_URL": ""}, "DATALENS_BASE_URL: Field required"),
        ({"DATALENS_INSTALLATION": "cloud"}, "DATALENS_INSTALLATION: Input should be 'yc' or 'enterprise'"),
        ({"DATALENS_DB_PORT": "five"}, "DATALENS_DB_PORT: Input should be a valid integer"),
        ({"DATALENS_DB_SSL": "yes"}, "DATALENS_DB_SSL: Input should be 'on' or 'off'"),
        ({"DWH_BI_PASSWORD": ""}, "set DWH_BI_PASSWORD"),
    ],
)
def test_a_variable_that_is_missing_or_makes_no_sense(
    server: DataLens, env: dict[str, str], capsys: pytest.CaptureFixture[str], change: dict[str, str], words: str
) -> None:
    assert words in failure(env | change, capsys)
    assert server.writes() == []


def test_a_definition_that_contradicts_itself_is_told_before_anything_is_sent(
    server: DataLens, files: Files, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files["charts"]["total"]["field"] = "people"
    assert "charts.yaml, total.number.field: there is no field of tags 'people'" in failure(env, capsys)
    assert server.calls == []


def test_help_names_every_variable_and_needs_none(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"], {})
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert [name for name in env if name not in told] == []
