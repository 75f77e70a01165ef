"""The last line of a layer's log: what the run has changed, in words."""

import logging

import pytest

from harness.pipeline import Pipeline
from tests.messages import order, restaurant


def test_the_last_line_of_a_load_says_what_has_changed(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def last(layer: str) -> str:
        pipeline.load_dds() if layer == "dds" else pipeline.load_cdm()
        return caplog.messages[-1]

    def rule(threshold: int) -> None:
        pipeline.owner.execute("update cdm.tag_rules set threshold = %s", [threshold])

    assert last("cdm") == last("dds") == "nothing waited"
    pipeline.refer([("restaurant", "diner", restaurant("diner", menu={"margherita": "Pizza"}))])
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 1)")
    orders = {"ann": (1, 2), "bob": (3, 4), "cyd": (5,)}
    pipeline.stage(
        order(n, user=user, restaurant="diner", dishes=("margherita",)) for user, ids in orders.items() for n in ids
    )
    assert last("dds") == "1 batch: 6 versions loaded"
    assert last("cdm") == "1 batch: 3 guests counted, 1 rule applied to all guests, 2 tags given, 0 tags taken back"
    rule(0)
    assert last("cdm") == "1 batch: 0 guests counted, 1 rule applied to all guests, 1 tag given, 0 tags taken back"
    rule(1)
    assert last("cdm") == "1 batch: 0 guests counted, 1 rule applied to all guests, 0 tags given, 1 tag taken back"
    pipeline.stage([order(6, user="cyd", restaurant="diner", dishes=("margherita",))])
    pipeline.load_dds()
    assert last("cdm") == "1 batch: 1 guest counted, 0 rules applied to all guests, 1 tag given, 0 tags taken back"
    assert pipeline.rows("select event, count(*) from cdm.tag_events group by 1 order by 1") == [
        ("assigned", 4),
        ("revoked", 1),
    ]
