"""Keys are off for the first load of an empty vault, and for nobody else."""

import psycopg
import pytest

from tests.messages import order
from tests.pipeline import Pipeline

ORPHAN = """
    insert into dds.s_order_status
    values (gen_random_uuid(), gen_random_uuid(), 'CLOSED', now(), now(), gen_random_uuid(), now(), 'test')
"""
TWINS = """
    insert into dds.h_order
    select gen_random_uuid(), 1, now(), now(), 'test' from generate_series(1, 2)
"""


def keys(pipeline: Pipeline) -> list[tuple[str, str]]:
    return pipeline.rows(
        """
        select conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
        from pg_constraint
        where connamespace = 'dds'::regnamespace and convalidated
        union all
        select tablename, indexdef
        from pg_indexes
        where schemaname = 'dds'
        order by 1, 2
        """
    )


def test_a_first_load_leaves_the_keys_as_they_were(pipeline: Pipeline) -> None:
    before = keys(pipeline)
    pipeline.stage([order(1), order(2)])
    pipeline.load_dds()
    assert len(before) > 40
    assert keys(pipeline) == before
    assert pipeline.value("select count(*) from dds.h_order") == 2


@pytest.mark.parametrize(
    ("rows", "error"), [(ORPHAN, psycopg.errors.ForeignKeyViolation), (TWINS, psycopg.errors.UniqueViolation)]
)
def test_rows_that_break_a_key_roll_the_first_load_back(
    pipeline: Pipeline, rows: str, error: type[psycopg.Error]
) -> None:
    before = keys(pipeline)
    with pytest.raises(error):
        pipeline.owner.execute(f"select dds.suspend_keys(); {rows}; select dds.restore_keys()")
    assert keys(pipeline) == before
    assert pipeline.value("select count(*) from dds.h_order") == 0


def test_a_transaction_that_does_not_restore_them_cannot_commit(pipeline: Pipeline) -> None:
    before = keys(pipeline)
    pipeline.etl.execute("select dds.suspend_keys()")
    with pytest.raises(psycopg.errors.RaiseException, match="still suspended"):
        pipeline.etl.commit()
    assert keys(pipeline) == before


def test_a_vault_with_orders_keeps_them_on(pipeline: Pipeline) -> None:
    pipeline.stage([order(1)])
    pipeline.load_dds()
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        pipeline.owner.execute(f"select dds.suspend_keys(); {ORPHAN}")
