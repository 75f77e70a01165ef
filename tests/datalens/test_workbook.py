"""The file for open-source DataLens: what its import reads. The import itself was run once (docs/datalens.md)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datalens.__main__ import main
from datalens.definitions import load, parse
from datalens.workbook import DEFAULT_KEY, export_file, verification_hash
from tests.datalens.board import small

CONNECTION = {"host": "db.example.org", "port": 6432, "db_name": "dwh", "username": "dwh_bi", "ssl_enable": "on"}
ENV = {"DATALENS_DB_HOST": "db.example.org", "DATALENS_DB_PORT": "6432"}


@pytest.fixture(scope="module")
def text() -> str:
    return export_file(load(), CONNECTION)


def inside(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (key, value) of everything in a JSON value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield key, inner
        if isinstance(inner, dict | list):
            yield from inside(inner)


def test_every_reference_leads_to_an_entry_or_a_field_of_the_file(text: str) -> None:
    entries = json.loads(text)["export"]["entries"]
    board = load()
    counts = {"connection": 1, "dataset": len(board.datasets), "widget": len(board.charts), "dash": 1}
    assert {scope: len(bodies) for scope, bodies in entries.items()} == counts
    ids = [entry_id for bodies in entries.values() for entry_id in bodies]
    assert len(set(ids)) == len(ids)
    guids = {field["guid"] for body in entries["dataset"].values() for field in body["dataset"]["result_schema"]}
    known = {
        "connection_id": entries["connection"],
        "datasetId": entries["dataset"],
        "chartId": entries["widget"],
        "datasetFieldId": guids,
        "guid": guids,
    }
    for key, among in known.items():
        found = {value for name, value in inside(entries) if name == key}
        assert found
        assert found <= set(among), key
    shared = [body["widget"]["data"]["shared"] for body in entries["widget"].values()]
    assert {dataset for each in shared for dataset in each["datasetsIds"]} == set(entries["dataset"])


@pytest.mark.parametrize(
    ("kind", "stored", "entry_type", "placeholders"),
    [
        ("number", "metric", "metric_wizard_node", ["measures"]),
        ("line", "line", "d3_wizard_node", ["x", "y", "y2"]),
        ("column", "column", "d3_wizard_node", ["x", "y"]),
        ("bar", "bar", "d3_wizard_node", ["y", "x"]),
        ("table", "flatTable", "table_wizard_node", ["flat-table-columns"]),
        ("pivot", "pivotTable", "table_wizard_node", ["pivot-table-columns", "rows", "measures"]),
    ],
)
def test_a_chart_has_the_slots_of_its_kind(kind: str, stored: str, entry_type: str, placeholders: list[str]) -> None:
    files = small()
    if kind == "column":
        files["charts"]["days"]["kind"] = kind
    widgets = json.loads(export_file(parse(files), CONNECTION))["export"]["entries"]["widget"].values()
    (chart,) = (each["widget"] for each in widgets if each["widget"]["data"]["shared"]["visualization"]["id"] == stored)
    assert chart["type"] == entry_type
    slots = chart["data"]["shared"]["visualization"]["placeholders"]
    assert [slot["id"] for slot in slots] == placeholders
    # A field is stored with all that its dataset says of it.
    items = [item for slot in slots for item in slot["items"]]
    assert items
    assert all({"data_type", "type", "title", "guid", "datasetId", "calc_mode"} <= set(item) for item in items)


def test_a_second_generation_is_equal_to_the_byte(text: str) -> None:
    assert export_file(load(), CONNECTION) == text


def test_the_hash_is_that_of_javascript(text: str) -> None:
    # createHmac('sha256', 'key').update(JSON.stringify(...)).digest('hex') of Node.js
    assert (
        verification_hash({"version": "v1", "entries": {"dash": {"0": {"title": "Теги"}}}}, "key")
        == "12f3eabcb46d9afd4a4991e0a252c1705fc20da4555777537ff6db6b740cabcd"
    )
    file = json.loads(text)
    assert file["hash"] == verification_hash(file["export"], DEFAULT_KEY)
    # JSON.stringify writes 2.0 as 2.
    assert [value for _, value in inside(file) if isinstance(value, float) and value.is_integer()] == []


def test_the_command_writes_the_file_without_the_password(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "guest-tags.json"
    assert main(["--workbook-file", str(path)], ENV | {"DWH_BI_PASSWORD": "s3cret"}) == 0
    assert "enter the password" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == text
    assert "s3cret" not in text
    assert json.loads(text)["export"]["entries"]["connection"]["0"]["connection"]["password"] == "******"


def test_the_file_goes_to_stdout_with_the_hash_of_the_key_given(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert main(["--workbook-file", "-"], ENV | {"EXPORT_DATA_VERIFICATION_KEY": "their key"}) == 0
    written, usual = json.loads(capsys.readouterr().out), json.loads(text)
    assert written["export"] == usual["export"]
    assert written["hash"] == verification_hash(usual["export"], "their key")
