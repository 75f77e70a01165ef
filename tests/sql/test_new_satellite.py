"""A satellite that is added as docs/add-a-table.md says takes part in first loads, rebuilds and checks by itself."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from harness.pipeline import LOG, SQL, Pipeline
from tests.messages import order, restaurant
from tests.sql.scratch import of_database, scratch_database
from tests.sql.test_suspended_keys import keys
from tests.streams import broken_laws
from warehouse.laws import Law, laws_of
from warehouse.layer_load import load_layer
from warehouse.layers import DDS, DDS_REBUILD, REBUILD_BATCH, Layer
from warehouse.session import Session
from warehouse.sql_files import SqlFile

NAME = "dwh_new_satellite"
# Foreign keys to both hubs that grow, and one to a link.
MIGRATION = """
create table dds.s_order_guest (
    hk_order_guest_pk uuid primary key,
    h_order_pk uuid not null references dds.h_order,
    h_user_pk uuid not null references dds.h_user,
    hk_order_user_pk uuid not null references dds.l_order_user,
    user_id varchar not null,
    effective_dttm timestamptz not null,
    sent_dttm timestamptz not null,
    value_hash uuid not null,
    load_dt timestamptz not null,
    load_src varchar not null
);
create index s_order_guest_h_order_pk on dds.s_order_guest (h_order_pk);
create view dds.current_order_guest as
select distinct on (h_order_pk) *
from dds.s_order_guest
order by h_order_pk, effective_dttm desc, sent_dttm desc, value_hash desc;
grant select, insert on dds.s_order_guest to dwh_etl;
grant select on dds.current_order_guest to dwh_etl;
create table dds.s_order_user_note (
    hk_order_user_note_pk uuid primary key,
    hk_order_user_pk uuid not null references dds.l_order_user
);
"""
LOAD = SqlFile(
    "dds/s_order_guest.sql",
    """
insert into dds.s_order_guest
select
    version_pk, h_order_pk, h_user_pk, dds.hash_key(order_id::text, user_id), user_id, update_ts, sent_dttm, value_hash,
    %(load_dt)s::timestamptz, load_src
from batch_orders
where
    is_user_changed
    and not exists (
        select 1
        from dds.s_order_guest as stored
        where stored.hk_order_guest_pk = batch_orders.version_pk
    );
""",
)
LAWS = """-- Law dds.s_order_guest: the parent of each row stands in its hub.
-- Over: orders
-- Params: none
select satellite.hk_order_guest_pk
from batch_checked_orders as checked
inner join dds.s_order_guest as satellite on checked.h_order_pk = satellite.h_order_pk
left join dds.h_order as hub on satellite.h_order_pk = hub.h_order_pk
where hub.h_order_pk is null;

-- Law dds.s_order_guest.newest: the current guest of each order is that of its newest message.
-- Over: orders
-- Params: none
select newest.object_id
from batch_checked_orders as checked
inner join stg.order_events as newest on checked.order_id = newest.object_id
inner join stg.order_event_log as log on newest.value_hash = log.value_hash
left join dds.current_order_guest as stored on checked.h_order_pk = stored.h_order_pk
where stored.user_id is distinct from log.user_id;
"""


@pytest.fixture
def warehouse(pipeline: Pipeline) -> Iterator[Pipeline]:
    """An empty warehouse of its own, in which the new satellite is migrated."""
    with scratch_database(pipeline, NAME) as url:
        env = {**pipeline.env, "DWH_URL": url, "DWH_ETL_URL": of_database(pipeline.env["DWH_ETL_URL"], NAME)}
        with Pipeline(env) as warehouse:
            warehouse.owner.execute(MIGRATION)
            yield warehouse


@pytest.fixture
def laws(tmp_path: Path) -> list[Law]:
    """The laws of the new satellite."""
    path = tmp_path / "dds.s_order_guest.sql"
    path.write_text(LAWS)
    return laws_of(path)


def load(warehouse: Pipeline, dds: Layer) -> None:
    """Load or rebuild the vault with the new file in its place, then the marts."""
    with_it = dds._replace(load=(*dds.load, LOAD.name))
    load_layer(Session(warehouse.etl, [*SQL, LOAD], log=LOG), with_it, REBUILD_BATCH, max_batches=1)
    warehouse.load_cdm()


def test_a_new_satellite_goes_through_first_load_and_rebuild_and_no_law_breaks(
    warehouse: Pipeline, laws: list[Law]
) -> None:
    before = keys(warehouse)
    warehouse.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    warehouse.stage([order(1, user="ann"), order(1, user="bob", update_ts="2026-01-02 00:00:00"), order(2, user="ann")])
    load(warehouse, DDS)
    assert keys(warehouse) == before
    first = warehouse.rows("select user_id, effective_dttm from dds.s_order_guest order by 2, 1")
    assert [user for user, _ in first] == ["ann", "ann", "bob"]
    with psycopg.connect(warehouse.env["DWH_ETL_URL"]) as connection:
        assert broken_laws(connection, more=laws) == {}
    load(warehouse, DDS_REBUILD)
    assert keys(warehouse) == before
    assert warehouse.rows("select user_id, effective_dttm from dds.s_order_guest order by 2, 1") == first
    with psycopg.connect(warehouse.env["DWH_ETL_URL"]) as connection:
        assert broken_laws(connection, more=laws) == {}


def test_a_first_load_takes_off_what_points_at_a_suspended_key(warehouse: Pipeline) -> None:
    pointing = """
        select conname from pg_constraint
        where contype = 'f' and confrelid in ('dds.h_order'::regclass, 'dds.h_user'::regclass, 'dds.l_order_user'::regclass)
    """
    assert ("s_order_user_note_hk_order_user_pk_fkey",) in warehouse.rows(pointing)
    with warehouse.owner.transaction(force_rollback=True):
        assert warehouse.value("select dds.suspend_keys()") is True
        assert warehouse.rows(pointing) == []
        warehouse.owner.execute("select dds.restore_keys()")
        assert ("s_order_user_note_hk_order_user_pk_fkey",) in warehouse.rows(pointing)
