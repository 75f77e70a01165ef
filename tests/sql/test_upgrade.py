"""A warehouse of the release before, with live data, after the migrations of today: nothing of it changes without need."""

import os
from collections.abc import Iterator

import pytest

from harness.pipeline import Pipeline
from harness.upgrade import Release, columns_of, content, migrate_by_steps
from tests.sql.scratch import migrate, of_database, scratch_database
from tests.streams import broken_laws

ORDERS = 400
# What the marts hold of guests; the clock begins with the first minute.
MARTS = (
    *("cdm.user_tags", "cdm.tag_events", "cdm.tag_days", "cdm.tag_rules", "cdm.tag_rule_versions"),
    *("cdm.user_product_counters", "cdm.user_category_counters", "cdm.product_totals", "cdm.category_histogram"),
)
QUEUES = ("stg.load_queue", "dds.counter_queue", "cdm.rule_queue")
WINDOW = """
    insert into cdm.tag_rules (tag, category_name, threshold, window_days, exit_threshold)
    values ('lately', 'Пицца', 1, 3660, 0)
"""


@pytest.fixture
def old(pipeline: Pipeline, release: Release) -> Iterator[Pipeline]:
    """An empty warehouse with the tables of the release before."""
    name = "dwh_before"
    with scratch_database(pipeline, name, release.revision):
        urls = {url: of_database(pipeline.env[url], name) for url in ("DWH_URL", "DWH_ETL_URL")}
        with Pipeline({**os.environ, **urls}) as old:
            yield old


def test_tags_events_and_versions_stay_and_the_next_minute_judges_nobody_anew(old: Pipeline, release: Release) -> None:
    release.fill(old.env, ORDERS)
    columns = columns_of(old.owner)
    before = content(old.owner, columns)
    assert all(before[table][0] > 2 for table in MARTS), before
    assert [before[queue][0] for queue in QUEUES] == [40, 0, 0]
    migrate(old.env["DWH_URL"])
    assert content(old.owner, columns) == before, "queues, ids and times among it"

    old.load()
    after = content(old.owner, columns)
    assert {table: after[table] for table in MARTS} == {table: before[table] for table in MARTS}
    assert [after[queue][0] for queue in QUEUES] == [0, 0, 0]
    assert after["dds.h_order"][0] == before["dds.h_order"][0] + 40, "what waited for the vault has come there"
    assert broken_laws(old.etl) == {}

    old.owner.execute(WINDOW)
    old.load_cdm()
    assert old.value("select count(*) from cdm.user_tags where tag = 'lately'") > 3, "old orders have their times"
    assert broken_laws(old.etl) == {}


def test_what_waited_in_the_release_before_is_judged_by_the_first_minute_of_today(
    old: Pipeline, release: Release
) -> None:
    release.fill(old.env, ORDERS, "everything")
    columns = columns_of(old.owner)
    before = content(old.owner, columns)
    assert [before[queue][0] > 0 for queue in QUEUES] == [True] * 3
    steps = list(migrate_by_steps(old.env["DWH_URL"], release.revision))
    assert content(old.owner, columns) == before
    assert [step.rewritten for step in steps if step.rewritten] == [], "no table is written anew, however long it is"

    old.load()
    assert [content(old.owner, columns)[queue][0] for queue in QUEUES] == [0, 0, 0]
    assert old.value("select count(*) from cdm.tag_events where reason = 'rule'") > 3, "and tells why"
    assert broken_laws(old.etl) == {}
