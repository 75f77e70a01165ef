"""A distributed warehouse from the topic to the readers, by the operators of the DAGs; and how it is made and taken back."""

import os
from pathlib import Path

import psycopg
import pytest

from deploy.distribute import CannotDistributeError, check_places, distribute, gather
from harness.pipeline import Pipeline
from harness.runs import backfill, load_layers, minute_run, rebuild_run
from source.generate import Generator
from source.seed import load_reference
from tests.citus.seen import SeenPipeline
from tests.messages import order
from tests.streams import broken_laws
from warehouse.distribution import DISTRIBUTED, WORK
from warehouse.judge_again import DistributedError
from warehouse.requests import STG_DDS_AND_CDM

REPO = Path(__file__).resolve().parents[2]
PAGE = {
    "days": 30,
    "unit": "day",
    "hours": 720,
    "limit": 5,
    "tag": "pizza_lover",
    "guest_id": "nobody",
    "rehearsal_id": 1,
}


def fill(pipeline: Pipeline) -> str:
    """Load a history and two minutes; return the topic."""
    generator = Generator(seed=7, orders=300)
    messages = [message.value for message in generator.messages()]
    topic = pipeline.topic()
    pipeline.clear()
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Пицца', 1)"
    )
    load_reference(os.environ["REDIS_URL"], generator)
    pipeline.produce(topic, [*messages[:-20], b"{broken"])
    backfill(topic, chunk_messages=100)
    load_layers()
    for part in (messages[-20:-10], messages[-10:]):
        pipeline.produce(topic, part)
        minute_run(topic)
    return topic


def test_history_minutes_and_rebuilds_give_what_the_model_counts(seen: SeenPipeline) -> None:
    topic = fill(seen)
    marts = seen.marts()
    assert marts["user_tags"]
    assert broken_laws(seen.etl) == {}
    rebuild_run()
    assert seen.marts() == marts
    with pytest.raises(DistributedError, match="gather it first"):
        rebuild_run(STG_DDS_AND_CDM)
    minute_run(topic)
    assert seen.marts() == marts
    assert broken_laws(seen.etl) == {}


def test_nothing_of_a_batch_is_left(seen: SeenPipeline) -> None:
    fill(seen)
    coordinator = seen.owner.coordinator  # type: ignore[attr-defined]
    for table in WORK:
        assert coordinator.execute(f"select count(*) from work.{table}").fetchone() == (0,), table


def test_analysts_read_every_view_and_no_table(seen: SeenPipeline) -> None:
    fill(seen)
    with psycopg.connect(os.environ["DWH_BI_URL"], autocommit=True) as reader:
        views = reader.execute("select viewname from pg_views where schemaname = 'cdm'").fetchall()
        assert len(views) > 15
        # Of one guest the page tells, and writes down who asked.
        for (view,) in set(views) - {("v_why",)}:
            reader.execute(f"select * from cdm.{view}").fetchall()
        for table in (*DISTRIBUTED, "cdm.v_why"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"select * from {table}")


@pytest.mark.parametrize("name", sorted(path.stem for path in (REPO / "sql/page").glob("*.sql")))
def test_the_page_is_answered(name: str, seen: SeenPipeline) -> None:
    text = (REPO / "sql/page" / f"{name}.sql").read_text(encoding="utf-8")
    with psycopg.connect(os.environ["DWH_PAGE_URL"], autocommit=True) as reader, psycopg.ClientCursor(reader) as cursor:
        cursor.execute(text, {key: value for key, value in PAGE.items() if f"%({key})s" in text}).fetchall()


def test_distributing_again_changes_nothing_and_gathering_gives_the_plain_warehouse_back(seen: SeenPipeline) -> None:
    topic = fill(seen)
    marts = seen.marts()
    shape = """
        select attrelid::regclass::text, attname, attidentity from pg_attribute
        where attrelid = any(%s::regclass[]) and attnum > 0 and not attisdropped
    """
    # Of what must not be null Citus makes the names of tables of its own.
    keys = """
        select conrelid::regclass::text, case when contype <> 'n' then conname end, pg_get_constraintdef(oid)
        from pg_constraint where conrelid = any(%s::regclass[])
    """
    with psycopg.connect(os.environ["DWH_URL"]) as owner:
        assert distribute(owner).startswith("0 tables distributed")
        with pytest.raises(CannotDistributeError, match="older list"):
            check_places(owner, {"dds.h_order": "order_id"})
        owner.rollback()
        gather(owner)
        owner.commit()
        try:
            with psycopg.connect(os.environ["CITUS_COPY_URL"]) as copy:
                for question in (shape, keys):
                    found, plain = (
                        set(side.execute(question, [list(DISTRIBUTED)]).fetchall()) for side in (owner, copy)
                    )
                    assert found == plain
            with Pipeline() as pipeline:
                assert broken_laws(pipeline.etl) == {}
                assert pipeline.marts() == marts
                # What a plain one loads goes along when it is distributed again.
                pipeline.produce(topic, [order(10_000, "CLOSED", user="late", dishes=("late",))])
                minute_run(topic)
                assert len(pipeline.user_product_counters()) == len(marts["user_product_counters"]) + 1
                marts = pipeline.marts()
        finally:
            owner.rollback()
            distribute(owner)
            owner.commit()
    assert seen.marts() == marts
    minute_run(topic)
    assert seen.marts() == marts
    assert broken_laws(seen.etl) == {}


def test_the_log_may_lie_in_columns(seen: SeenPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def lies_in() -> str:
        (kind,) = seen.owner.coordinator.execute(  # type: ignore[attr-defined]
            "select amname from pg_class inner join pg_am on relam = pg_am.oid "
            "where pg_class.oid = 'stg.order_event_log'::regclass"
        ).fetchone()
        return str(kind)

    fill(seen)
    marts = seen.marts()
    assert lies_in() == "heap"
    with psycopg.connect(os.environ["DWH_URL"]) as owner:
        for wanted, kind in (("true", "columnar"), ("false", "heap")):
            gather(owner)
            monkeypatch.setenv("DWH_COLUMNAR_LOG", wanted)
            distribute(owner)
            owner.commit()
            assert lies_in() == kind
            topic = fill(seen)
            assert seen.marts() == marts
            # Its key holds, and what is known is not stored again.
            logged = seen.value("select count(*) from stg.order_event_log")
            backfill(topic, "again")
            assert seen.value("select count(*) from stg.order_event_log") == logged
            rebuild_run()
            assert seen.marts() == marts
            assert broken_laws(seen.etl) == {}
