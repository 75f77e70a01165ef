"""Brings a workbook of hosted or Enterprise DataLens to the definitions, through the official SDK (PyPI `datalens-sdk`).

Entries are found by their titles in the workbook. What is missing is created, what differs is changed, the rest is left alone: a
second run writes nothing. Only what the definitions say is compared. Defaults that the server adds are no difference; a field,
filter, chart or tab of the definitions that somebody changed by hand is. Entries that no definition names, and fields that
somebody added to a dataset, stay as they are.

Charts and the dashboard are replaced whole. A dataset is changed field by field, as the SDK's update sends the revision that it
read, without which the server refuses (`populate_dataset_from_body` in lib/dl_api_lib/dl_api_lib/api_common/dataset_loader.py of
datalens-tech/datalens-backend).
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import datalens_sdk as sdk

from datalens.definitions import SCHEMA, Board, Chart, Dataset, Field
from datalens.entries import Renderer, dataset_body, field_body

Client = sdk.DataLensClientYC | sdk.DataLensClientEnterprise
T = TypeVar("T")

# What of a field the definitions decide, as its body calls it.
FIELD_KEYS = ("title", "calc_mode", "source", "formula", "cast", "aggregation")
# Counters of the editor: no content.
EDITORS_OWN = frozenset({"counter", "salt"})
NEW_CHART = "graph_wizard_node"  # any Wizard type: the server takes it from the config
NOT_YET = "(new)"

# The SDK logs what it raises, too; once is enough.
logging.getLogger("datalens_sdk").addHandler(logging.NullHandler())


class UnreadableViewError(Exception):
    """DataLens cannot read a view through the connection."""


class MissingPasswordError(Exception):
    """The connection must be written, and nobody has given the password."""


class TwinsError(Exception):
    """Two entries of one kind share a title: which one is ours?"""


@dataclass(frozen=True)
class Change:
    """What was done, or would be done, with one entry. `kept` is what differs even after it was written."""

    action: str
    kind: str
    title: str
    differences: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Database:
    """Where the warehouse is. The password is written only; DataLens never gives it back."""

    host: str
    port: int
    db_name: str
    username: str
    ssl_enable: str
    password: str | None

    def body(self) -> dict[str, Any]:
        """Return what identifies the database in a connection."""
        return {
            "host": self.host,
            "port": self.port,
            "db_name": self.db_name,
            "username": self.username,
            "ssl_enable": self.ssl_enable,
        }


def bring(
    client: Client, workbook_id: str, board: Board, database: Database, *, dry_run: bool = False, password: bool = False
) -> Iterator[Change]:
    """Bring the workbook to the definitions, entry by entry, in the order in which they need each other.

    A generator: what was yielded is done. `dry_run` writes nothing; `password` writes the connection's password again even if
    nothing else of it differs. Raises what the SDK raises, and the errors of this module.
    """
    with Renderer(enterprise=isinstance(client, sdk.DataLensClientEnterprise)) as renderer:
        yield from _Run(client, workbook_id, board, renderer, dry_run=dry_run).entries(database, password=password)


class _Run:
    def __init__(self, client: Client, workbook_id: str, board: Board, renderer: Renderer, *, dry_run: bool) -> None:
        self.client = client
        self.board = board
        self.renderer = renderer
        self.dry_run = dry_run
        workbook = client.get.workbook(by_id=workbook_id)
        self.location = sdk.EntryLocation.workbook(workbook_id)
        self.stored: dict[tuple[str, str], list[str]] = {}
        for entry in workbook.list_entries(scope=("connection", "dataset", "widget", "dash")):
            title = (entry.name or "").rsplit("/", 1)[-1]
            self.stored.setdefault((entry.scope, title), []).append(entry.id)

    def entries(self, database: Database, *, password: bool) -> Iterator[Change]:
        connection_id, change = self.connection(database, password=password)
        yield change
        dataset_ids, chart_ids = {}, {}
        for name, dataset in self.board.datasets.items():
            dataset_ids[name], change = self.dataset(dataset, connection_id)
            yield change
        for name, chart in self.board.charts.items():
            chart_ids[name], change = self.chart(chart, dataset_ids[chart.dataset.name])
            yield change
        yield self.dashboard(dataset_ids, chart_ids)

    def find(self, scope: str, title: str) -> str | None:
        ids = self.stored.get((scope, title), [])
        if len(ids) > 1:
            raise TwinsError(f"{len(ids)} entries of the workbook are called {title!r} ({scope}: {', '.join(ids)})")
        return ids[0] if ids else None

    # --- one entry of each kind --------------------------------------------------------------------------------------

    def connection(self, database: Database, *, password: bool) -> tuple[str, Change]:
        ours = self.board.connection
        wanted = database.body() | {
            "description": ours.description,
            "cache_ttl_sec": ours.cache_ttl_s,
            "raw_sql_level": ours.raw_sql_level,
            "data_export_forbidden": "off" if ours.data_export == "on" else "on",
        }

        def create() -> str:
            builder = self.client.create.connection.postgres(name=ours.title, location=self.location)
            for key, value in (wanted | {"password": _given(database)}).items():
                getattr(builder, key)(value)
            return _id(builder.build())

        def update(stored: sdk.Connection) -> None:
            builder = stored.update
            for key, value in wanted.items():
                if differences(value, stored.raw.get(key)):
                    builder.set(key, value)
            if password or _moved(database, stored.raw):
                builder.set("password", _given(database))
            builder.execute()

        def compare(stored: sdk.Connection) -> list[str]:
            return differences(wanted, stored.raw)

        return self.settle(
            "connection",
            ours.title,
            read=lambda entry_id: self.client.get.connection(by_id=entry_id),
            compare=lambda stored: compare(stored) + (["password: written again"] if password else []),
            create=create,
            update=update,
            check=compare,
        )

    def dataset(self, dataset: Dataset, connection_id: str) -> tuple[str, Change]:
        def create() -> str:
            connection = self.client.get.connection(by_id=connection_id)
            body = dataset_body(dataset, connection_id, self.columns_seen(dataset, connection))
            snapshot: dict[str, Any] = {"id": dataset.name, "dataset": body}
            raw = self.client.raw.create.dataset(response_snapshot=snapshot, name=dataset.title, location=self.location)
            return _id(raw.build())

        return self.settle(
            "dataset",
            dataset.title,
            read=lambda entry_id: self.client.get.dataset(by_id=entry_id),
            compare=lambda stored: _dataset_differences(dataset, connection_id, stored),
            create=create,
            update=lambda stored: self.change_dataset(dataset, connection_id, stored),
        )

    def columns_seen(self, dataset: Dataset, connection: sdk.Connection) -> Sequence[Mapping[str, Any]]:
        """Let DataLens read the view through the connection; return its columns as it sees them."""
        source = self.client.create.source(using=connection).pg_table(
            alias=dataset.view, schema_name=SCHEMA, table_name=dataset.view
        )
        try:
            return source.build(strict=True).raw_schema
        except sdk.DataLensValidationError as error:
            raise UnreadableViewError(f"{SCHEMA}.{dataset.view}") from error

    def change_dataset(self, dataset: Dataset, connection_id: str, stored: sdk.Dataset) -> None:
        builder = stored.update.mode("publish")
        if stored.description != dataset.description:
            builder.description(dataset.description)
        (source,) = stored.sources
        if source.connection_id not in (connection_id, None):
            builder.replace_connection(old_connection_id=source.connection_id, new_connection_id=connection_id)
        wanted_source = _source(dataset)
        if differences(wanted_source, source.parameters):
            builder.update_source(source_id=source.id, parameters={**source.parameters, **wanted_source})
            builder.refresh_source(source.id, force_update_fields=False)
        known = {each["guid"]: each for each in stored.result_schema}
        avatar_id = str(stored.source_avatars[0]["id"])
        for field in dataset.fields.values():
            wanted, current = field_body(field, dataset), known.get(field.guid)
            if current is None:
                _add_field(builder, field, avatar_id)
            elif differences({"calc_mode": wanted["calc_mode"], "source": wanted["source"]}, current):
                _add_field(builder.delete_field(field=field.guid), field, avatar_id)
            elif _field_differences(wanted, current):
                builder.update_field(
                    field=field.guid, title=field.title, cast=field.type, aggregation=field.aggregation
                )
                if field.formula:
                    builder.update_calculation(field=field.guid, formula=field.formula, kind=wanted["type"])
        builder.execute()

    def chart(self, chart: Chart, dataset_id: str) -> tuple[str, Change]:
        body = self.renderer.chart(chart, dataset_id)
        # Without this a filter added by hand to a chart that has none would be no difference.
        wanted = {"data": {**body["data"], "sources": {"filters": [], **body["data"]["sources"]}}}
        wanted["annotation"] = body["annotation"]

        def snapshot(entry_id: str, kind: str) -> dict[str, Any]:
            return {"entry": {"entryId": entry_id, "type": kind, **body}}

        def create() -> str:
            raw = self.client.raw.create.wizard_chart(
                response_snapshot=snapshot(chart.name, NEW_CHART), name=chart.title, location=self.location
            )
            return _id(raw.build())

        def update(stored: sdk.WizardChart) -> None:
            replacement = snapshot(_id(stored), stored.wire_type or NEW_CHART)
            self.client.raw.replace.wizard_chart(target=stored, response_snapshot=replacement).mode("publish").execute()

        return self.settle(
            "chart",
            chart.title,
            scope="widget",
            read=lambda entry_id: self.client.get.wizard_chart(by_id=entry_id),
            compare=lambda stored: differences(wanted, stored.raw),
            create=create,
            update=update,
        )

    def dashboard(self, dataset_ids: Mapping[str, str], chart_ids: Mapping[str, str]) -> Change:
        body = self.renderer.dashboard(self.board, dataset_ids, chart_ids)
        wanted = {key: body[key] for key in ("data", "annotation")}

        def create() -> str:
            raw = self.client.raw.create.dashboard(
                response_snapshot={"entry": {"entryId": NOT_YET, **body}}, name=self.board.title, location=self.location
            )
            return _id(raw.build())

        def update(stored: sdk.Dashboard) -> None:
            replacement = {"entry": {"entryId": _id(stored), **body}}
            self.client.raw.replace.dashboard(target=stored, response_snapshot=replacement).mode("publish").execute()

        return self.settle(
            "dashboard",
            self.board.title,
            scope="dash",
            read=lambda entry_id: self.client.get.dashboard(by_id=entry_id),
            compare=lambda stored: differences(wanted, _entry(stored.raw)),
            create=create,
            update=update,
        )[1]

    def settle(
        self,
        kind: str,
        title: str,
        *,
        read: Callable[[str], T],
        compare: Callable[[T], list[str]],
        create: Callable[[], str],
        update: Callable[[T], None],
        check: Callable[[T], list[str]] | None = None,
        scope: str | None = None,
    ) -> tuple[str, Change]:
        """Create, change or leave an entry; read it again after a write, so that what the server keeps otherwise is told."""
        entry_id = self.find(scope or kind, title)
        found: tuple[str, ...] = ()
        if entry_id is not None:
            stored = read(entry_id)
            found = tuple(compare(stored))
            if not found:
                return entry_id, Change("same", kind, title)
        action = "create" if entry_id is None else "update"
        if self.dry_run:
            return entry_id or NOT_YET, Change(action, kind, title, found)
        if entry_id is None:
            entry_id = create()
        else:
            update(stored)
        kept = tuple((check or compare)(read(entry_id)))
        return entry_id, Change(action, kind, title, found, kept)


def differences(wanted: Any, stored: Any, path: str = "") -> list[str]:
    """Say where `stored` is not as `wanted`: whatever else it holds besides is no difference, an empty value equals none."""
    if isinstance(wanted, Mapping):
        inner = stored if isinstance(stored, Mapping) else {}
        return [
            line
            for key, value in wanted.items()
            if key not in EDITORS_OWN
            for line in differences(value, inner.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(wanted, list) and isinstance(stored, list) and len(wanted) == len(stored):
        return [
            line
            for index, (one, other) in enumerate(zip(wanted, stored, strict=True))
            for line in differences(one, other, f"{path}[{_label(one, index)}]")
        ]
    if wanted == stored or (not _filled(wanted) and not _filled(stored)):
        return []
    return [f"{path}: {_short(stored)} -> {_short(wanted)}"]


def _filled(value: Any) -> bool:
    return value not in (None, "", [], {})


def _label(value: Any, index: int) -> str:
    if isinstance(value, Mapping):
        return str(value.get("id") or value.get("guid") or value.get("title") or index)
    return str(index)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return {0: "none", 1: "1 entry"}.get(len(value), f"{len(value)} entries")
    text = "none" if value in (None, "", {}) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _source(dataset: Dataset) -> dict[str, Any]:
    return {"schema_name": SCHEMA, "table_name": dataset.view}


def _field_differences(wanted: Mapping[str, Any], stored: Mapping[str, Any], path: str = "") -> list[str]:
    return differences({key: wanted[key] for key in FIELD_KEYS}, stored, path)


def _dataset_differences(dataset: Dataset, connection_id: str, stored: sdk.Dataset) -> list[str]:
    found = differences({"description": dataset.description}, {"description": stored.description})
    sources = list(stored.sources)
    if len(sources) != 1:
        return [*found, f"sources: {len(sources)} -> 1"]
    found += differences({"connection_id": connection_id}, {"connection_id": sources[0].connection_id}, "source")
    found += differences(_source(dataset), sources[0].parameters, "source")
    known = {each["guid"]: each for each in stored.result_schema}
    for field in dataset.fields.values():
        if field.guid not in known:
            found.append(f"field {field.title}: none -> {field.type}")
        else:
            found += _field_differences(field_body(field, dataset), known[field.guid], f"field {field.title}")
    return found


def _add_field(builder: sdk.DatasetUpdate, field: Field, avatar_id: str) -> None:
    kind: Literal["MEASURE", "DIMENSION"] = "MEASURE" if field.measure else "DIMENSION"
    if field.formula:
        builder.add_calculation(name=field.title, formula=field.formula, kind=kind, cast=field.type, guid=field.guid)
    else:
        builder.add_field(
            title=field.title,
            source=field.name,
            kind=kind,
            avatar_id=avatar_id,
            aggregation=field.aggregation,
            cast=field.type,
            guid=field.guid,
        )


def _entry(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    entry = raw.get("entry")
    return entry if isinstance(entry, Mapping) else raw


def _id(entity: Any) -> str:
    if not entity.id:
        raise AssertionError("DataLens has given no id")
    return str(entity.id)


def _given(database: Database) -> str:
    if not database.password:
        raise MissingPasswordError
    return database.password


def _moved(database: Database, stored: Mapping[str, Any]) -> bool:
    """Say whether the stored password belongs to another server or role."""
    return bool(differences({"host": database.host, "username": database.username}, stored))
