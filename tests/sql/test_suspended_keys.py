"""Keys are off for the first load of an empty vault and of empty marts, and for nobody else."""

import psycopg
import pytest

from harness.pipeline import Pipeline
from tests.messages import order, user

ORPHAN = """
    insert into dds.s_order_status
    values (gen_random_uuid(), gen_random_uuid(), 'CLOSED', now(), now(), gen_random_uuid(), now(), 'test')
"""
NAMELESS_GUEST = """
    insert into dds.s_user_names
    values (gen_random_uuid(), gen_random_uuid(), 'Ann', 'ann', now(), gen_random_uuid(), now(), 'test')
"""
TWINS = """
    insert into dds.h_order
    select gen_random_uuid(), 1, now(), now(), 'test' from generate_series(1, 2)
"""
TWIN_COUNTERS = """
    insert into cdm.user_product_counters (user_id, product_id, product_name, order_cnt)
    select '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'Tea', 1
    from generate_series(1, 2)
"""


def keys(pipeline: Pipeline) -> list[tuple[str, str]]:
    return pipeline.rows(
        """
        select conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
        from pg_constraint
        where connamespace in ('dds'::regnamespace, 'cdm'::regnamespace) and convalidated
        union all
        select schemaname || '.' || tablename, indexdef
        from pg_indexes
        where schemaname in ('dds', 'cdm')
        order by 1, 2
        """
    )


def key_count(pipeline: Pipeline, layer: str) -> int:
    return sum(table.startswith(f"{layer}.") for table, _ in keys(pipeline))


def test_a_first_load_leaves_the_keys_as_they_were(pipeline: Pipeline) -> None:
    before = keys(pipeline)
    pipeline.stage([order(1), order(2)])
    pipeline.load()
    assert len(before) > 60
    assert keys(pipeline) == before
    assert pipeline.value("select count(*) from dds.h_order") == 2
    assert pipeline.value("select count(*) from cdm.user_product_counters") > 0


# Who belongs to the vault is known by the names of its tables.
BESIDE_THE_VAULT = {"dds.counter_queue", "dds.suspended_keys"}


def test_every_table_of_dds_belongs_to_the_vault_or_is_known_not_to(pipeline: Pipeline) -> None:
    tables = {name for (name,) in pipeline.rows("select 'dds.' || tablename from pg_tables where schemaname = 'dds'")}
    vault = pipeline.value("select dds.vault_tables()::text[]")
    assert tables - set(vault) == BESIDE_THE_VAULT
    assert vault[0] == "dds.h_order", "it is the door: who reads in one snapshot holds it alone"


def test_every_foreign_key_into_the_vault_comes_from_a_table_that_a_rebuild_empties_too(pipeline: Pipeline) -> None:
    strangers = """
        select conrelid::regclass::text, conname
        from pg_constraint
        where
            contype = 'f'
            and confrelid = any(dds.vault_tables())
            and conrelid <> all(dds.vault_tables())
    """
    assert pipeline.rows(strangers) == []
    with pipeline.owner.transaction(force_rollback=True):
        pipeline.owner.execute("create table cdm.stray (h_user_pk uuid references dds.h_user)")
        assert pipeline.rows(strangers) == [("cdm.stray", "stray_h_user_pk_fkey")]


def test_a_first_load_takes_off_every_key_of_what_grows_with_the_orders(pipeline: Pipeline) -> None:
    with pipeline.owner.transaction(force_rollback=True):
        pipeline.owner.execute("select dds.suspend_keys()")
        kept = pipeline.rows(
            """
            select c.conrelid::regclass::text, c.conname
            from pg_constraint as c
            inner join pg_attribute as a on a.attrelid in (c.conrelid, c.confrelid)
            where c.contype in ('p', 'u', 'f')
                and c.connamespace = 'dds'::regnamespace
                and c.conrelid <> all(array['dds.counter_queue', 'dds.suspended_keys']::regclass[])
                and a.attname in ('h_order_pk', 'h_user_pk')
            """
        )
        assert kept == []


@pytest.mark.parametrize("layer", ["dds", "cdm"])
def test_a_first_load_takes_keys_off(pipeline: Pipeline, layer: str) -> None:
    before = key_count(pipeline, layer)
    with pipeline.owner.transaction(force_rollback=True):
        assert pipeline.value(f"select {layer}.suspend_keys()") is True
        assert key_count(pipeline, layer) < before
    assert key_count(pipeline, layer) == before


@pytest.mark.parametrize(
    ("layer", "rows", "error"),
    [
        ("dds", ORPHAN, psycopg.errors.ForeignKeyViolation),
        ("dds", NAMELESS_GUEST, psycopg.errors.ForeignKeyViolation),
        ("dds", TWINS, psycopg.errors.UniqueViolation),
        ("cdm", TWIN_COUNTERS, psycopg.errors.UniqueViolation),
    ],
)
def test_rows_that_break_a_key_roll_the_first_load_back(
    pipeline: Pipeline, layer: str, rows: str, error: type[psycopg.Error]
) -> None:
    before = keys(pipeline)
    with pytest.raises(error):
        pipeline.owner.execute(f"select {layer}.suspend_keys(); {rows}; select {layer}.restore_keys()")
    assert keys(pipeline) == before
    assert pipeline.value("select count(*) from dds.h_order") == 0
    assert pipeline.value("select count(*) from cdm.user_product_counters") == 0


@pytest.mark.parametrize("layer", ["dds", "cdm"])
def test_a_transaction_that_does_not_restore_them_cannot_commit(pipeline: Pipeline, layer: str) -> None:
    before = keys(pipeline)
    pipeline.etl.execute(f"select {layer}.suspend_keys()")
    with pytest.raises(psycopg.errors.RaiseException, match="still suspended"):
        pipeline.etl.commit()
    assert keys(pipeline) == before


def test_layers_that_hold_something_keep_them_on(pipeline: Pipeline) -> None:
    pipeline.stage([order(1)])
    pipeline.load()
    assert pipeline.value("select dds.suspend_keys()") is False
    assert pipeline.value("select cdm.suspend_keys()") is False


def test_a_vault_that_knows_a_guest_and_no_order_yet_keeps_them_on(pipeline: Pipeline) -> None:
    pipeline.refer([("user", "ann", user("ann"))])
    pipeline.load_dds()
    assert pipeline.value("select count(*) from dds.h_user") == 1
    assert pipeline.value("select dds.suspend_keys()") is False
    pipeline.stage([order(1, user="ann")])
    pipeline.load_dds()
    assert pipeline.value("select count(*) from dds.h_user") == 1


def test_the_first_batch_may_be_larger_than_those_that_follow(pipeline: Pipeline) -> None:
    pipeline.stage([order(number) for number in range(10)])
    pipeline.load_dds(max_events=2, max_first_events=5, max_batches=1)
    assert pipeline.value("select count(*) from dds.h_order") == 5
    pipeline.load_dds(max_events=2, max_first_events=5, max_batches=1)
    assert pipeline.value("select count(*) from dds.h_order") == 7


def test_a_first_load_in_parts_is_one_transaction_and_leaves_what_one_part_leaves(pipeline: Pipeline) -> None:
    values = [
        order(number % 30, status, user=f"guest-{number % 7}", update_ts=f"2026-01-02 10:00:{number:02}")
        for number, status in enumerate(["OPEN", "CLOSED", "CANCELLED"] * 20)
    ]
    documents = [("user", f"guest-{n}", user(f"guest-{n}")) for n in range(5)]
    tables = [*pipeline.value("select dds.vault_tables()::text[]"), "dds.counter_queue"]
    before = keys(pipeline)

    def loaded(part_events: int) -> dict[str, list[tuple[object, ...]]]:
        pipeline.clear()
        pipeline.refer(documents)
        pipeline.stage(values)
        assert pipeline.load_dds(part_events=part_events)["batches"] == 1
        assert keys(pipeline) == before
        # load_src, too: of two sources of one part that name a guest the first in the alphabet is noted.
        return {
            table: pipeline.rows(
                f"select to_jsonb(t) - '{{load_dt,load_src,id}}'::text[] as r from {table} as t order by r"
            )
            for table in tables
        }

    whole = loaded(1_000)
    assert len(whole["dds.h_order"]) == 30
    assert len(whole["dds.counter_queue"]) == 7
    assert loaded(10) == whole


@pytest.mark.parametrize("table", ["dds.h_user", "dds.h_product", "cdm.user_category_counters"])
def test_a_reader_who_stays_does_not_hold_a_first_load_up(pipeline: Pipeline, table: str) -> None:
    pipeline.stage([order(1)])
    with psycopg.connect(pipeline.env["DWH_URL"]) as reader:
        reader.execute(f"select * from {table}")
        pipeline.load()
    assert pipeline.value("select count(*) from cdm.user_product_counters") > 0


def test_nobody_but_the_two_functions_takes_keys_off(pipeline: Pipeline) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        pipeline.etl.execute("select dds.take_off_keys(array['stg.order_events']::regclass[])")
    pipeline.etl.rollback()
