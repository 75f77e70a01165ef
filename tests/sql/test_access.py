"""What the roles that read may see and do: their views, for some seconds, and nothing else."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from harness.pipeline import Pipeline
from tests.messages import order, restaurant, user
from tests.sql.scratch import migrate, of_database, scratch_database
from tests.streams import Broom

REPO = Path(__file__).resolve().parents[2]
REFUSED = (
    "insert into cdm.v_tags (tag) values ('mine')",
    "update cdm.v_guest_tags set tag = 'mine'",
    "delete from cdm.v_tag_events",
    "insert into cdm.tag_rules (tag, category_name, threshold) values ('mine', 'Pizza', 0)",
    "truncate cdm.tag_rules",
    "create table cdm.mine ()",
    "create table public.mine ()",
    "create temporary table mine ()",
    "create view cdm.v_mine as select 1",
    "create schema mine",
    "create function public.mine() returns int language sql return 1",
    "select dds.clear_vault()",
    "select stg.see_transactions()",
    "select pg_read_file('/etc/passwd')",
    "copy (select 1) to program 'true'",
    "set role dwh_owner",
    "alter view cdm.v_tags reset (security_barrier)",
    "select lo_creat(-1)",
    "select lo_create(0)",
    "select lo_from_bytea(0, 'mine')",
    "select lo_import('/etc/passwd')",
    "select lo_put(1, 0, 'mine')",
    "select lo_unlink(1)",
    "select lo_open(1, 131072)",
    "select lowrite(0, 'mine')",
    "select lo_truncate(0, 1)",
    "select pg_logical_emit_message(false, 'mine', 'x')",
    "select pg_logical_emit_message(false, 'mine', 'x'::bytea)",
    "set temp_file_limit = -1",
    "set session_replication_role = replica",
)


# What answers about one guest, order by order: for the page alone.
OF_THE_PAGE_ALONE = {"v_why"}
READERS = {"dwh_bi": "DWH_BI_URL", "dwh_page": "DWH_PAGE_URL"}


def shown_by_the_page() -> set[str]:
    """Return the views that the page's questions name, and those of the watcher, which has the page's connection."""
    files = [*(REPO / "sql/page").glob("*.sql"), REPO / "sql/ask/backup/state.sql", REPO / "deploy/watch.py"]
    return {view for file in files for view in re.findall(r"cdm\.(v_\w+)", file.read_text(encoding="utf-8"))}


def readable(role: str, views: set[str]) -> set[str]:
    return views - OF_THE_PAGE_ALONE if role == "dwh_bi" else shown_by_the_page()


@pytest.fixture
def views(pipeline: Pipeline) -> set[str]:
    """All there are; docs/views.md names each of them (test_views.py)."""
    found = {view for (view,) in pipeline.rows("select viewname from pg_views where schemaname = 'cdm'")}
    assert len(found) > 10
    return found


@pytest.fixture
def bi(pipeline: Pipeline) -> Iterator[psycopg.Connection]:
    """A session of the BI role that has taken off its own read-only default."""
    with writing(pipeline, "dwh_bi") as connection:
        yield connection


@contextmanager
def writing(pipeline: Pipeline, role: str) -> Iterator[psycopg.Connection]:
    """Yield a session of a role that has taken off its own read-only default."""
    with psycopg.connect(pipeline.env[READERS[role]], autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        yield connection


def bootstrap(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.bootstrap"],
        env=os.environ | env,
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )


def limits_of(pipeline: Pipeline, role: str = "dwh_bi") -> tuple[int, list[str]]:
    of_role = "select rolconnlimit, rolconfig from pg_roles where rolname = %s"
    ((connections, limits),) = pipeline.rows(of_role, [role])
    return connections, sorted(limits or [])


LIMITS = (
    20,
    [
        "TimeZone=UTC",
        "default_transaction_read_only=on",
        "idle_in_transaction_session_timeout=60s",
        "statement_timeout=30s",
        "temp_file_limit=1GB",
    ],
)


@pytest.mark.parametrize("role", READERS)
def test_a_reader_sees_its_views_and_nothing_else(pipeline: Pipeline, views: set[str], role: str) -> None:
    visible = pipeline.rows(
        """
        select n.nspname, c.relname
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
            and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and (
                has_table_privilege(%(role)s, c.oid, 'select, insert, update, delete, truncate, references, trigger')
                or c.relkind <> 'S' and has_any_column_privilege(%(role)s, c.oid, 'select, insert, update, references')
            )
        """,
        {"role": role},
    )
    assert len(readable(role, views)) > 20
    assert set(visible) == {("cdm", view) for view in readable(role, views)}


@pytest.mark.parametrize("role", READERS)
def test_a_reader_may_only_select(pipeline: Pipeline, role: str) -> None:
    rights = pipeline.rows("select privilege_type from information_schema.role_table_grants where grantee = %s", [role])
    assert {right for (right,) in rights} == {"SELECT"}


def test_nobody_but_the_readers_and_the_pipeline_reads_the_views(pipeline: Pipeline) -> None:
    grantees = pipeline.rows(
        "select distinct grantee from information_schema.role_table_grants where table_name like 'v\\_%'"
    )
    assert {name for (name,) in grantees} == {"dwh_owner", "dwh_etl", *READERS}


@pytest.mark.parametrize("role", READERS)
def test_everything_else_is_closed_to_a_reader(pipeline: Pipeline, views: set[str], role: str) -> None:
    relations = pipeline.rows(
        """
        select relnamespace::regnamespace::text, relname
        from pg_class
        where
            relnamespace in ('stg'::regnamespace, 'dds'::regnamespace, 'cdm'::regnamespace, 'migration'::regnamespace)
            and relkind in ('r', 'v')
        """
    )
    hidden = {(schema, name) for schema, name in relations if name not in readable(role, views)}
    assert len(hidden) > 40
    with writing(pipeline, role) as reader:
        for relation in hidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(sql.SQL("select 1 from {}").format(sql.Identifier(*relation)))


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("role", READERS)
def test_a_reader_can_change_nothing(pipeline: Pipeline, role: str, statement: str) -> None:
    with (
        writing(pipeline, role) as reader,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)),
    ):
        reader.execute(statement)


def test_no_view_shows_who_a_guest_is(pipeline: Pipeline, views: set[str]) -> None:
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    documents = [
        ("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})),
        ("user", "guest", user(name="Hidden Name", login="hidden-login", phone="hidden", email="hidden@hidden")),
    ]
    pipeline.refer(documents)
    pipeline.stage([order(1), b'{"user": "Hidden Name", "login": "hidden-login"}'])
    pipeline.load()
    pipeline.owner.execute("insert into stg.law_checks values ('stg.order_events', 0, now())")
    pipeline.owner.execute(
        """
        insert into cdm.rehearsals overriding system value
        values (1, 'fan', 'Pizza', 0, null, null, now() - interval '1 day', now(), 'UTC', 1, 0, 0, 0, 0, 1, 0, 'me', now());
        insert into cdm.rehearsal_weeks values (1, '2026-01-05', 0, 0, 0, 1);
        insert into cdm.rehearsal_overlaps values (1, 'other', 1, 0, 0);
        insert into cdm.rehearsal_near values (1, 1, 1);
        insert into cdm.audiences
        values ('fans', 'mail', '{fan}', '{}', 'guest_id', 'own', 0, 's', false, 0, 30, 'active');
        insert into cdm.audience_members values ('fans', dds.hash_key('guest'), 'treatment', '{hidden}', 1, now())
        """
    )
    for view in views:
        with writing(pipeline, "dwh_page" if view in OF_THE_PAGE_ALONE else "dwh_bi") as reader:
            rows = reader.execute(sql.SQL("select * from {}").format(sql.Identifier("cdm", view))).fetchall()
        assert rows, view
        assert "hidden" not in str(rows).lower(), view


@pytest.mark.parametrize("barrier", [True, False])
def test_a_condition_of_the_readers_own_making_never_meets_a_row_that_a_view_leaves_out(
    pipeline: Pipeline, *, barrier: bool
) -> None:
    pipeline.stage([order(1, "OPEN"), order(2, "CLOSED")])
    seen: list[str | None] = []
    with psycopg.connect(Broom.admin_url(pipeline)) as connection:
        connection.add_notice_handler(lambda notice: seen.append(notice.message_primary))
        connection.execute(
            """
            create function public.peek(text) returns boolean language plpgsql stable cost 0.0001
            as $$ begin raise notice '%', $1; return true; end $$
            """
        )
        if not barrier:
            connection.execute("alter view cdm.v_orders_not_counted reset (security_barrier)")
        connection.execute("set local role dwh_bi")
        connection.execute("select * from cdm.v_orders_not_counted where public.peek(detail)")
        connection.rollback()
    assert "OPEN" in seen
    assert ("CLOSED" in seen) is not barrier


def test_every_view_has_its_barrier(pipeline: Pipeline, views: set[str]) -> None:
    found = pipeline.rows(
        """
        select relname
        from pg_class
        where relnamespace = 'cdm'::regnamespace and reloptions @> array['security_barrier=true']
        """
    )
    assert {view for (view,) in found} == views


def test_a_guest_is_found_by_an_index_behind_the_barrier(pipeline: Pipeline, bi: psycopg.Connection) -> None:
    for view, column in (("v_guest_tags", "guest_id"), ("v_guest_progress", "guest_id"), ("v_tag_events", "guest_id")):
        pipeline.owner.execute("set enable_seqscan = off; set enable_bitmapscan = off")
        plan = pipeline.rows(f"explain (verbose) select * from cdm.{view} where {column} = 'x'")
        assert any("h_user_user_id_key" in line for (line,) in plan), view


def test_the_bi_role_has_no_other_database_to_write_in(pipeline: Pipeline, bi: psycopg.Connection) -> None:
    names = pipeline.rows("select datname from pg_database where datallowconn and datname <> 'dwh'")
    found = {name for (name,) in names}
    assert {"postgres", "template1", "airflow"} <= found
    for name in found:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(of_database(pipeline.env["DWH_BI_URL"], name))


def test_a_sort_of_the_bi_role_fills_no_disk(pipeline: Pipeline) -> None:
    series = "select count(*) from (select g, md5(g::text) as m from generate_series(1, 300000) as g order by m) as s"
    with psycopg.connect(Broom.admin_url(pipeline), autocommit=True) as admin:
        admin.execute("alter role dwh_bi set temp_file_limit = '2MB'")
        try:
            with psycopg.connect(pipeline.env["DWH_BI_URL"], options="-c work_mem=64kB") as connection:
                with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="temp_file_limit"):
                    connection.execute(series)
                connection.rollback()
        finally:
            admin.execute("alter role dwh_bi set temp_file_limit = '1GB'")


# --- limits --------------------------------------------------------------------------------------------------------------


def test_the_limits_are_in_force(pipeline: Pipeline) -> None:
    with psycopg.connect(pipeline.env["DWH_BI_URL"], autocommit=True) as connection:
        shown = [
            connection.execute(f"show {name}").fetchone()
            for name in ("statement_timeout", "idle_in_transaction_session_timeout", "default_transaction_read_only")
        ]
        assert shown == [("30s",), ("1min",), ("on",)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("create table public.mine ()")
    assert limits_of(pipeline) == LIMITS


def test_who_forgets_an_open_transaction_is_ended_as_whatever_role(pipeline: Pipeline) -> None:
    found = {}
    for role, url in {"dwh_owner": "DWH_URL", "dwh_etl": "DWH_ETL_URL", **READERS}.items():
        with psycopg.connect(pipeline.env[url]) as connection:
            found[role] = connection.execute("show idle_in_transaction_session_timeout").fetchone()
    assert found == {"dwh_owner": ("5min",), "dwh_etl": ("5min",), "dwh_bi": ("1min",), "dwh_page": ("1min",)}


def test_bootstrap_gives_an_existing_role_its_limits(pipeline: Pipeline) -> None:
    with psycopg.connect(pipeline.env["DWH_ADMIN_URL"], autocommit=True) as admin:
        admin.execute("alter role dwh_bi reset all")
        admin.execute("alter role dwh_bi connection limit -1")
    assert limits_of(pipeline) == (-1, [])
    for _ in range(2):
        done = bootstrap({"DWH_ADMIN_URL": pipeline.env["DWH_ADMIN_URL"]})
        assert (done.returncode, done.stderr) == (0, "")
        assert limits_of(pipeline) == LIMITS


def test_a_deployment_that_knows_no_password_of_the_page_gives_it_that_of_dashboards(pipeline: Pipeline) -> None:
    password = {url: str(conninfo_to_dict(pipeline.env[url])["password"]) for url in READERS.values()}
    assert len(set(password.values())) == 2
    asked = {"DWH_ADMIN_URL": pipeline.env["DWH_ADMIN_URL"], "DWH_BI_PASSWORD": password["DWH_BI_URL"]}
    assert bootstrap(asked).returncode == 0
    try:
        psycopg.connect(make_conninfo(pipeline.env["DWH_PAGE_URL"], password=password["DWH_BI_URL"])).close()
    finally:
        assert bootstrap(asked | {"DWH_PAGE_PASSWORD": password["DWH_PAGE_URL"]}).returncode == 0
    psycopg.connect(pipeline.env["DWH_PAGE_URL"]).close()
    ten = [
        "statement_timeout=30s" if limit == "statement_timeout=10s" else limit
        for limit in limits_of(pipeline, "dwh_page")[1]
    ]
    assert ten == LIMITS[1], "but for the time of a question, those of dashboards"


def test_bootstrap_lets_the_owner_see_the_sessions_of_others(pipeline: Pipeline) -> None:
    sees = "select pg_has_role('dwh_owner', 'pg_read_all_stats', 'usage')"
    assert pipeline.value(sees) is True
    with psycopg.connect(pipeline.env["DWH_ADMIN_URL"], autocommit=True) as admin:
        admin.execute("revoke pg_read_all_stats from dwh_owner")
    done = bootstrap({"DWH_ADMIN_URL": pipeline.env["DWH_URL"]})
    assert 'not allowed: grant pg_read_all_stats to "dwh_owner"' in done.stderr
    done = bootstrap({"DWH_ADMIN_URL": pipeline.env["DWH_ADMIN_URL"]})
    assert (done.returncode, done.stderr) == (0, "")
    assert pipeline.value(sees) is True


def test_where_the_admin_may_not_set_limits_bootstrap_says_what_to_set(pipeline: Pipeline) -> None:
    done = bootstrap({"DWH_ADMIN_URL": pipeline.env["DWH_URL"]})
    assert done.returncode == 0, done.stderr
    for limit in ("connection limit 20", "set statement_timeout = '30s'", "set default_transaction_read_only = on"):
        assert f'alter role "dwh_bi" {limit}' in done.stderr
    assert "cloud's console" in done.stderr


# --- an installation that has data already -------------------------------------------------------------------------------

OLD = "dwh_0004"
NEW_TABLES = ("stg.order_hours", "stg.order_statuses", "cdm.product_totals", "cdm.category_histogram", "cdm.tag_days")


@pytest.fixture
def old_database(pipeline: Pipeline) -> Iterator[str]:
    """The URL, for its owner, of a database as migration 0004 has left it."""
    with scratch_database(pipeline, OLD, "0004") as url:
        yield url


COLUMNS = """
    select table_schema, table_name, column_name
    from information_schema.columns
    where table_schema in ('stg', 'dds', 'cdm')
"""
SEQUENCES = "select schemaname, sequencename from pg_sequences where schemaname in ('stg', 'dds', 'cdm')"


def copy_rows(pipeline: Pipeline, database: str) -> None:
    """Copy what 0004 has tables and columns for, as a superuser: neither triggers nor foreign keys."""
    url = Broom.admin_url(pipeline)
    with psycopg.connect(url) as source, psycopg.connect(of_database(url, database)) as target:
        target.execute("set session_replication_role = replica")
        tables: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in set(source.execute(COLUMNS)) & set(target.execute(COLUMNS)):
            tables.setdefault((schema, table), []).append(column)
        for name, columns in tables.items():
            rows = sql.SQL("{} ({})").format(sql.Identifier(*name), sql.SQL(", ").join(map(sql.Identifier, columns)))
            with (
                source.cursor().copy(sql.SQL("copy {} to stdout").format(rows)) as read,
                target.cursor().copy(sql.SQL("copy {} from stdin").format(rows)) as write,
            ):
                for block in read:
                    write.write(block)
        for sequence in set(source.execute(SEQUENCES)) & set(target.execute(SEQUENCES)):
            query = sql.SQL("select last_value, is_called from {}").format(sql.Identifier(*sequence))
            ((value, is_called),) = source.execute(query)
            target.execute("select setval(%s, %s, %s)", [".".join(sequence), value, is_called])


def test_the_migration_counts_what_is_stored_already(pipeline: Pipeline, old_database: str) -> None:
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('gone', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza", "tea": "Drinks"}))])
    pipeline.stage(
        [
            order(1, dishes=("pizza", "tea"), cost="10.50"),
            order(2, dishes=("pizza",), update_ts="2026-01-02 03:00:00"),
            order(3, user="other", dishes=(), cost=None),
            order(4, "OPEN", restaurant="cafe", cost="0.10"),
        ]
    )
    pipeline.load()
    pipeline.stage([order(1, "CANCELLED", dishes=("pizza",), update_ts="2026-01-03 00:00:00")])
    pipeline.stage([order(2, dishes=("tea",), update_ts="2026-01-03 00:00:00")])
    pipeline.load()
    maintained = {name: rows for name, rows in pipeline.snapshot().items() if name in NEW_TABLES}
    assert all(maintained.values())
    assert pipeline.value("select revoked from cdm.tag_days where tag = 'fan'") == 1
    pipeline.owner.execute("delete from cdm.tag_rules where tag = 'gone'")

    copy_rows(pipeline, OLD)
    migrate(old_database)
    with Pipeline({**pipeline.env, "DWH_URL": old_database}) as migrated:
        assert {name: rows for name, rows in migrated.snapshot().items() if name in NEW_TABLES} == maintained
        migrated.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('gone', 'Pizza', 7)")
        versions = migrated.rows("select tag, version, threshold from cdm.tag_rule_versions order by 1, 2")
        assert versions == [("fan", 1, 0), ("gone", 1, 0), ("gone", 2, 7)], "a deleted rule is known by its events"
        assert migrated.value("select has_table_privilege('dwh_bi', 'cdm.user_tags', 'select')") is False
        assert migrated.value("select has_table_privilege('dwh_bi', 'cdm.v_tags', 'select')") is True


def test_an_empty_installation_migrates_too(old_database: str) -> None:
    migrate(old_database)
    with psycopg.connect(old_database) as connection:
        assert connection.execute("select messages_waiting from cdm.v_freshness").fetchone() == (0,)
