"""The bench asks every view that a dashboard may read, whatever columns it has."""

from bench.views import measure
from harness.pipeline import Pipeline
from tests.messages import order, restaurant
from tests.sql.test_access import OF_THE_PAGE_ALONE


def test_every_view_is_measured(pipeline: Pipeline) -> None:
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1)])
    pipeline.load()
    views = {view for (view,) in pipeline.rows("select viewname from pg_views where schemaname = 'cdm'")}
    measured = measure(pipeline.env["DWH_BI_URL"], runs=1)
    assert {name.split(" ")[0] for name in measured} == views - OF_THE_PAGE_ALONE
