"""The grown history of the bench: all that grows with orders and guests has grown, and no law is broken."""

from bench.grow import grow
from harness.pipeline import Pipeline
from tests.messages import order, restaurant, user
from tests.sql.scratch import of_database, scratch_database
from tests.streams import broken_laws

NAME = "dwh_grown"
COPIES = 3
# Tables that bench/grow.sql leaves as they are, and why: all others grow with the history.
NOT_GROWN = {
    "dishes, restaurants and their documents are those of a town": {
        *("dds.h_product", "dds.h_category", "dds.h_restaurant", "dds.l_product_category", "dds.l_product_restaurant"),
        *("dds.s_product_names", "dds.s_restaurant_names", "dds.es_product_category"),
    },
    "empty without a rule with a window": {"cdm.guest_due"},
    "people make it": {"cdm.rehearsals", "cdm.rehearsal_weeks", "cdm.rehearsal_overlaps", "cdm.rehearsal_near"},
    "people say which": {
        *("cdm.audiences", "cdm.audience_exports", "cdm.audience_export_rows", "cdm.audience_members"),
        *("cdm.audience_member_changes", "cdm.suppressions", "cdm.consents"),
    },
    "empty between two runs": {
        *("stg.load_queue", "dds.counter_queue", "cdm.rule_queue"),
        *("dds.suspended_keys", "stg.judged_orders", "stg.judged_references"),
    },
    "rules, the clock, and positions in Kafka": {
        *("cdm.tag_rules", "cdm.tag_rule_versions", "cdm.tag_clock", "stg.drain_progress", "stg.drain_ends"),
    },
    "what went wrong, or was tried": {
        *("stg.dead_letters", "stg.lost_messages", "stg.withdrawn", "stg.backups", "stg.law_checks"),
        *("stg.erasures", "stg.erasure_requests", "stg.guest_looks", "stg.guest_look_key"),
    },
    "how far the checks have come": {"stg.check_progress"},
}


def test_every_table_grows_in_the_bench_or_is_known_not_to(pipeline: Pipeline) -> None:
    with scratch_database(pipeline, NAME) as url:
        env = {**pipeline.env, "DWH_URL": url, "DWH_ETL_URL": of_database(pipeline.env["DWH_ETL_URL"], NAME)}
        with Pipeline(env) as warehouse:
            warehouse.owner.execute(
                "insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)"
            )
            warehouse.refer(
                [("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), ("user", "guest", user(phone="8 999"))]
            )
            warehouse.stage(
                [order(1), order(1, update_ts="2026-01-02 00:00:00", cost=7), order(2, "OPEN", user="other")]
            )
            warehouse.load()
            before = warehouse.snapshot()
            grow(warehouse.owner, COPIES)
            after = warehouse.snapshot()
            assert {table for table in before if after[table] == before[table]} == set.union(*NOT_GROWN.values())
            assert len(after["dds.s_order_cost"]) == COPIES * len(before["dds.s_order_cost"]) == COPIES * 3
            assert broken_laws(warehouse.etl) == {}
            costs = "select cost, count(*) from dds.current_order_cost group by 1 order by 1"
            assert warehouse.rows(costs) == [(7, COPIES), (100, COPIES)], (
                "each copy of an order has its own newest version"
            )
