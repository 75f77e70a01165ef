"""Audiences handed over by the DAG's own operator, by its form and by its hour; suppressions loaded by theirs."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from harness.pipeline import Pipeline
from harness.runs import run
from local.stack import Stack
from operators.approve_export import ApproveExportOperator
from operators.export_audiences import ExportAudiencesOperator
from operators.load_suppressions import LoadSuppressionsOperator
from tests.messages import order, restaurant, user
from warehouse.export import take_turn
from warehouse.requests import DRY_RUN, FORMS, FULL

PIZZA = (
    "{audience: pizza, channel: yandex, include_tags: [fan], identifier: phone_sha256, format: yandex, "
    "requires_consent: false, salt: s}"
)
CRM = "{audience: crm, channel: crm, include_tags: [fan], identifier: login_hmac, format: own, requires_consent: false, salt: s}"


class World:
    """Two guests with a tag, a file of audiences, and a folder."""

    def __init__(self, pipeline: Pipeline, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipeline, self.folder, self.monkeypatch = pipeline, folder, monkeypatch
        self.file = folder / "audiences.yaml"
        self.root = folder / "exports"
        self.connect(secrets={"crm": "key"})

    def connect(self, **extra: Any) -> None:
        connection = {"conn_type": "generic", "extra": {"url": str(self.root), **extra}}
        self.monkeypatch.setenv("AIRFLOW_CONN_AUDIENCE_EXPORTS", json.dumps(connection))

    def write(self, *audiences: str) -> None:
        self.file.write_text("audiences:\n" + "".join(f"  - {line}\n" for line in audiences) or " []", encoding="utf-8")

    def export(self, **form: Any) -> dict[str, Any]:
        return self._run(ExportAudiencesOperator, "audience_export", "maria", form)

    def approve(self, **form: Any) -> dict[str, Any]:
        return self._run(ApproveExportOperator, "audience_approve", "boris", form)

    def _run(
        self, operator: type[ExportAudiencesOperator], dag_id: str, by: str, form: dict[str, Any]
    ) -> dict[str, Any]:
        return run(
            operator(task_id="task", audiences_file=str(self.file)),
            dag=SimpleNamespace(dag_id=dag_id),
            params={name: field.default for name, field in FORMS[dag_id].items()} | form,
            dag_run=SimpleNamespace(conf=form, triggering_user_name=by),
        )

    def manifests(self) -> list[str]:
        return sorted(str(path.relative_to(self.root).parent) for path in self.root.glob("*/*/manifest.json"))


@pytest.fixture(scope="module")
def module_pipeline(stack: Stack) -> Iterator[Pipeline]:
    with Pipeline() as pipeline:
        pipeline.clear()
        pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
        people = [
            ("user", name, user(name, login=name, phone=f"8999000000{n}")) for n, name in enumerate(("ann", "bob"))
        ]
        pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), *people])
        pipeline.stage([order(1, user="ann"), order(2, user="bob")])
        pipeline.load()
        yield pipeline
        pipeline.clear()


@pytest.fixture
def world(module_pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    module_pipeline.owner.execute("truncate cdm.audiences, cdm.suppressions, cdm.consents restart identity cascade")
    for name, value in module_pipeline.env.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)
    return World(module_pipeline, tmp_path, monkeypatch)


def test_each_audience_of_the_file_is_handed_over_and_the_next_hour_finds_nothing_new(world: World) -> None:
    world.write(PIZZA, CRM)
    told = world.export()
    assert {name: (one["status"], one["adds"]) for name, one in told.items()} == {
        "pizza": ("published", 2),
        "crm": ("published", 2),
    }
    assert world.manifests() == ["crm/000001", "pizza/000001"]
    assert world.pipeline.rows("select distinct planned_by from cdm.v_exports") == [("maria",)]
    assert {one["status"] for one in world.export().values()} == {"nothing"}
    assert json.dumps(told), "it goes by XCom"


def test_without_an_audience_no_connection_is_needed(world: World) -> None:
    world.file.write_text("audiences: []\n", encoding="utf-8")
    world.monkeypatch.delenv("AIRFLOW_CONN_AUDIENCE_EXPORTS")
    assert world.export() == {}


def test_a_dry_run_and_a_full_one_by_the_form(world: World) -> None:
    world.write(PIZZA, CRM)
    assert world.export(audience="pizza", mode=DRY_RUN)["pizza"]["adds"] == 2
    assert world.manifests() == []
    assert set(world.export(audience="pizza")) == {"pizza"}
    assert world.export(audience="pizza", mode=FULL)["pizza"]["seq"] == 2


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"audience": "piza"}, "'audience' must be one of the file, not 'piza'; did you mean 'pizza'?"),
        ({"audience": "pizza", "approve": True, "seq": 1, "plan_hash": "old"}, "unknown parameter 'approve'"),
        ({"mode": "all"}, "'mode' must be one of diff, full, dry run"),
    ],
)
def test_a_wrong_request_fails_at_once_and_says_what_is_allowed(world: World, form: dict[str, Any], said: str) -> None:
    world.write(PIZZA)
    with pytest.raises(AirflowFailException) as refusal:
        world.export(**form)
    assert said in str(refusal.value)
    assert world.manifests() == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "'audience', 'seq' and 'plan_hash' must say what you have seen"),
        ({"audience": "pizza", "seq": 1}, "'audience', 'seq' and 'plan_hash' must say what you have seen"),
        ({"audience": "all", "seq": 1, "plan_hash": "old"}, "'audience', 'seq' and 'plan_hash' must say"),
        ({"audience": "piza", "seq": 1, "plan_hash": "old"}, "did you mean 'pizza'?"),
        ({"audience": "pizza", "seq": 1, "plan_hash": "old"}, "the plan has changed: it is export 1 now"),
    ],
)
def test_an_approval_says_what_was_seen_or_nothing_goes(world: World, form: dict[str, Any], said: str) -> None:
    world.write(PIZZA)
    with pytest.raises(AirflowFailException) as refusal:
        world.approve(**form)
    assert said in str(refusal.value)
    assert world.manifests() == []


def test_who_approves_is_named_and_what_they_saw_is_out_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(PIZZA)
    monkeypatch.setattr("warehouse.export.GUARDED_FROM", 0)
    world.export()
    held = world.pipeline.rows("select seq, plan_hash from cdm.v_exports where status = 'held'")
    assert len(held) == 1, "a list of nobody may not grow at once"
    ((seq, plan_hash),) = held
    with world.pipeline.session.transaction():
        assert take_turn(world.pipeline.session, "yandex")
        with pytest.raises(AirflowException, match="another export to yandex is on") as later:
            world.approve(audience="pizza", seq=seq, plan_hash=plan_hash)
    assert not isinstance(later.value, AirflowFailException), "the hour's run is over soon: it is tried again"
    assert world.approve(audience="pizza", seq=seq, plan_hash=plan_hash)["pizza"]["status"] == "published"
    assert world.manifests() == ["pizza/000001"]
    assert world.pipeline.rows("select planned_by, status from cdm.v_exports") == [("boris", "published")]
    with pytest.raises(AirflowFailException, match="the plan has changed"):
        world.approve(audience="pizza", seq=seq, plan_hash=plan_hash)


def test_a_mistake_in_the_file_keeps_everybody_in(world: World) -> None:
    world.write(PIZZA, CRM.replace("crm,", "crm, salty: x,", 1))
    with pytest.raises(AirflowFailException, match="line 3: unknown key 'salty'"):
        world.export()
    assert world.manifests() == []
    world.write(PIZZA)
    world.export()
    world.write(PIZZA.replace("salt: s", "salt: t"))
    with pytest.raises(AirflowFailException, match="pizza: salt stays as it is since export 1"):
        world.export()


def test_what_fails_one_audience_lets_the_others_go(world: World) -> None:
    world.write(CRM, PIZZA)
    with world.pipeline.session.transaction():
        assert take_turn(world.pipeline.session, "crm")
        with pytest.raises(AirflowException, match="crm: another export to crm is on"):
            world.export()
    assert world.manifests() == ["pizza/000001"]
    world.connect()
    with pytest.raises(AirflowException, match=r"must hold secrets\.crm"):
        world.export()


def test_suppressions_of_a_folder_are_loaded_and_the_next_export_obeys_them(world: World) -> None:
    def load() -> dict[str, int]:
        return run(LoadSuppressionsOperator(task_id="load"))

    assert load() == {"files": 0, "suppressions": 0, "consents": 0}
    world.write(PIZZA)
    world.export()
    told = world.root / "incoming" / "suppressions" / "march.csv"
    told.parent.mkdir(parents=True)
    told.write_text(
        "kind,value,channel,reason,since,until\nphone,89990000000,*,left,2026-03-01T00:00:00Z,\n", encoding="utf-8"
    )
    given = world.root / "incoming" / "consents" / "march.csv"
    given.parent.mkdir(parents=True)
    given.write_text("guest_id,channel,granted,withdrawn,source\nann,*,2026-03-01T00:00:00Z,,form\n", encoding="utf-8")
    assert load() == {"files": 2, "suppressions": 3, "consents": 1}
    assert load() == {"files": 2, "suppressions": 0, "consents": 0}
    assert world.export()["pizza"]["removes"] == 1
    told.write_text(told.read_text(encoding="utf-8") + "phone,secret-value,*,left,yesterday,\n", encoding="utf-8")
    with pytest.raises(AirflowFailException, match=r"march\.csv, line 3: since must be") as refusal:
        load()
    assert "secret-value" not in str(refusal.value), "a log tells no value"


def test_without_a_connection_there_are_no_files_to_load(world: World) -> None:
    world.monkeypatch.delenv("AIRFLOW_CONN_AUDIENCE_EXPORTS")
    assert run(LoadSuppressionsOperator(task_id="load"))["files"] == 0
