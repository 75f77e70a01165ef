"""What has been kept for as long as it may be goes, and what follows from it stays right."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from harness.pipeline import Pipeline
from harness.runs import run
from operators.keep_terms import KeepTermsOperator
from operators.rebuild_staging import RebuildStagingOperator
from operators.refresh_reference import RefreshReferenceOperator
from tests.messages import order, restaurant
from tests.operators.test_replay_dead_letters import replay
from warehouse import fields
from warehouse.constants import TERMS_FILE
from warehouse.requests import STG_DDS_AND_CDM
from warehouse.terms import BadTermsError, parse_terms

LONG = "x" * 300
SHIPPED = Path(TERMS_FILE).read_text(encoding="utf-8")


def keep(**arguments: str) -> dict[str, int]:
    dag = SimpleNamespace(dag_id="retention")
    return run(KeepTermsOperator(task_id="keep", **arguments), dag=dag, params={}, dag_run=SimpleNamespace(conf={}))


def test_what_a_solved_letter_holds_goes_after_its_term_and_comes_again_when_the_log_loses_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, broken = order(1, user=LONG), b"{"
    pipeline.stage([long, order(2, user=LONG), broken])
    with monkeypatch.context() as wider:
        wider.setattr(fields, "MAX_KEY_CHARACTERS", 400)
        assert replay()["solved"] == 2
    assert keep() == {"letters": 0, "exports": 0}, "they were solved just now"
    pipeline.owner.execute("update stg.dead_letters set solved_dt = solved_dt - interval '31 days' where id = 1")

    assert keep() == {"letters": 1, "exports": 0}
    assert keep() == {"letters": 0, "exports": 0}

    columns = "id, octet_length(raw), detail <> '', message_key, reason, solved_dt is not null"
    held = f"select {columns} from stg.dead_letters order by id"
    assert pipeline.rows(held) == [
        (1, None, False, None, "too_long", True),
        (2, len(long), True, None, "too_long", True),
        (3, 1, True, None, "broken_json", False),
    ]
    before = pipeline.snapshot()
    pipeline.stage([long])
    assert pipeline.snapshot() == before, "a message whose letter is blank is known when it comes again"

    params = {"layers": STG_DDS_AND_CDM, "as_of": None, "as_of_ahead": False}
    dag, dag_run = SimpleNamespace(dag_id="marts_rebuild"), SimpleNamespace(conf={})
    run(RebuildStagingOperator(task_id="stg"), dag=dag, dag_run=dag_run, params=params)
    assert pipeline.rows(held)[0] == (1, len(long), True, None, "too_long", False), (
        "the log that it leaves gives it back"
    )


def test_a_letter_of_redis_keeps_the_id_by_which_erasure_finds_it(pipeline: Pipeline) -> None:
    pipeline.stage([order(1, user="ann")])
    pipeline.redis.set("ann", restaurant("ann", menu={}))
    run(RefreshReferenceOperator(task_id="reference"))
    pipeline.owner.execute("update stg.dead_letters set solved_dt = now() - interval '31 days'")
    keep()
    assert pipeline.rows("select raw, message_key, detail from stg.dead_letters") == [(None, b"ann", "")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SHIPPED.replace("solved_letters_days: 30", "solved_letters_days: 0"), "from 1 to 3660, not 0"),
        (
            SHIPPED.replace("export_files_days: 30", "export_files_days: '30'"),
            "'export_files_days' must be a whole number",
        ),
        (SHIPPED.replace("  export_files_days: 30\n", ""), "must hold solved_letters_days, export_files_days"),
        (SHIPPED + "  letters: 3\n", "and nothing else"),
        ("terms: [", "no YAML"),
        ("", "'terms' must hold"),
    ],
)
def test_wrong_terms_delete_nothing_and_say_what_is_allowed(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadTermsError, match=complaint):
        parse_terms(text)
    file = tmp_path / "terms.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(AirflowFailException, match=rf"terms.yaml: .*{complaint}"):
        keep(terms_file=str(file))
