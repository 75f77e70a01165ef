"""The file for open-source DataLens, against the shape of its import code."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from datalens.__main__ import main
from datalens.definitions import load
from datalens.workbook import DEFAULT_KEY, export_file, verification_hash
from tests.datalens.shape import imported, problems

CONNECTION = {"host": "db.example.org", "port": 6432, "db_name": "dwh", "username": "dwh_bi", "ssl_enable": "on"}


@pytest.fixture(scope="module")
def text() -> str:
    return export_file(load(), CONNECTION)


@pytest.fixture
def file(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def entry(file: dict[str, Any], scope: str, index: int = 0) -> dict[str, Any]:
    return dict(list(file["export"]["entries"][scope].values())[index])[scope]


def test_the_file_is_what_the_import_accepts(file: dict[str, Any]) -> None:
    assert problems(file) == []
    board = load()
    counts = {scope: len(bodies) for scope, bodies in file["export"]["entries"].items()}
    assert counts == {"connection": 1, "dataset": len(board.datasets), "widget": len(board.charts), "dash": 1}


def test_a_second_generation_is_equal_to_the_byte(text: str) -> None:
    assert export_file(load(), CONNECTION) == text


def test_the_import_maps_every_reference_to_its_new_entry(file: dict[str, Any]) -> None:
    entries, missed = imported(deepcopy(file["export"]["entries"]))
    assert missed == []
    assert len(entries) == 51
    kept = json.dumps(list(entries.values()))
    old = [f'"{key}": "{number}"' for key in ("datasetId", "chartId", "connection_id") for number in range(51)]
    assert [each for each in old if each in kept] == []


def test_the_hash_is_that_of_javascript(file: dict[str, Any]) -> None:
    # createHmac('sha256', 'key').update(JSON.stringify(...)).digest('hex') of Node.js
    assert (
        verification_hash({"version": "v1", "entries": {"dash": {"0": {"title": "Теги"}}}}, "key")
        == "12f3eabcb46d9afd4a4991e0a252c1705fc20da4555777537ff6db6b740cabcd"
    )
    assert file["hash"] == verification_hash(file["export"], DEFAULT_KEY)


def test_no_number_is_written_otherwise_than_javascript_writes_it(text: str) -> None:
    assert [value for value in floats(json.loads(text)) if value.is_integer()] == []


def floats(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [found for each in inner for found in floats(each)]
    return [value] if isinstance(value, float) else []


def chart(file: dict[str, Any], kind: str) -> dict[str, Any]:
    widgets = [each["widget"] for each in file["export"]["entries"]["widget"].values()]
    return next(each for each in widgets if each["data"]["shared"]["visualization"]["id"] == kind)


def dash(file: dict[str, Any]) -> dict[str, Any]:
    return dict(entry(file, "dash")["data"])


FAULTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "the file is not {export, hash}": lambda f: f.pop("hash"),
    "version 'v2'": lambda f: f["export"].update(version="v2"),
    "unknown scope report": lambda f: f["export"]["entries"].update(report={}),
    "dataset: not objects by their ids": lambda f: f["export"]["entries"].update(dataset=[]),
    "connection 0: carries a password": lambda f: entry(f, "connection").update(password="secret"),
    "connection 0: port": lambda f: entry(f, "connection").update(port="6432"),
    "dataset 1: connection 7": lambda f: entry(f, "dataset")["sources"][0].update(connection_id="7"),
    "dataset 1: avatars": lambda f: entry(f, "dataset")["source_avatars"].clear(),
    "dataset 1, tags_tag: source or avatar": lambda f: entry(f, "dataset")["result_schema"][0].update(source="label"),
    "dataset 1, tags_tags_in_force: formula": lambda f: entry(f, "dataset")["result_schema"][-1].update(
        formula="COUNT([Метка])"
    ),
    "dataset: a name is missing or occurs twice": lambda f: entry(f, "dataset").update(name="Воронка тегов"),
    "chart 14: datasets ['99']": lambda f: entry(f, "widget")["data"]["shared"].update(datasetsIds=["99"]),
    "chart 14: lacks ['updates']": lambda f: entry(f, "widget")["data"]["shared"].pop("updates"),
    "chart 14: no Wizard config of version 15": lambda f: entry(f, "widget")["data"]["shared"].update(
        type="advanced-chart_node"
    ),
    "type table_wizard_node for line": lambda f: chart(f, "line").update(type="table_wizard_node"),
    "placeholders": lambda f: chart(f, "bar")["data"]["shared"]["visualization"]["placeholders"].reverse(),
    "field tags_label": lambda f: chart(f, "flatTable")["data"]["shared"]["sort"][0].update(guid="tags_label"),
    "items and layout differ": lambda f: dash(f)["tabs"][0]["layout"].pop(),
    "lies over another or outside": lambda f: dash(f)["tabs"][0]["layout"][3].update(x=30),
    "id audiences occurs twice": lambda f: dash(f)["tabs"][1].update(id="audiences"),
    "audiences_tags_in_force: chart 99": lambda f: dash(f)["tabs"][0]["items"][2]["data"]["tabs"][0].update(
        chartId="99"
    ),
    "field nothing of dataset 2": lambda f: dash(f)["tabs"][0]["items"][1]["data"]["group"][0]["source"].update(
        datasetFieldId="nothing"
    ),
    "alias ['audience_daily_tag', 'nothing']": lambda f: dash(f)["tabs"][0]["aliases"].update(
        default=[["audience_daily_tag", "nothing"]]
    ),
}


@pytest.mark.parametrize("words", FAULTS)
def test_the_check_finds_what_is_wrong_with_a_file(file: dict[str, Any], words: str) -> None:
    FAULTS[words](file)
    assert any(words in problem for problem in problems(file)), problems(file)


def test_the_command_writes_the_file_without_the_password(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    env = {"DATALENS_DB_HOST": "db.example.org", "DATALENS_DB_PORT": "6432", "DWH_BI_PASSWORD": "s3cret"}
    path = tmp_path / "guest-tags.json"
    assert main(["--workbook-file", str(path)], env) == 0
    assert "enter the password" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == export_file(load(), CONNECTION)
    assert "s3cret" not in path.read_text(encoding="utf-8")


def test_the_file_goes_to_stdout_where_asked(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert main(["--workbook-file", "-"], {"DATALENS_DB_HOST": "db.example.org", "DATALENS_DB_PORT": "6432"}) == 0
    assert capsys.readouterr().out == text


def test_the_key_of_the_installation_makes_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    env = {"DATALENS_DB_HOST": "db.example.org", "EXPORT_DATA_VERIFICATION_KEY": "their key"}
    assert main(["--workbook-file", "-"], env) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["hash"] == verification_hash(written["export"], "their key")
