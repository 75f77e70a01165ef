"""Brings a workbook of hosted or Enterprise DataLens to the definitions, through the official SDK (PyPI `datalens-sdk`).

Entries are found by their titles in the workbook. What is missing is created, what differs is replaced, the rest is left alone: a
second run writes nothing. Only what the definitions say is compared. Defaults that the server adds are no difference; a field,
filter, chart or tab of the definitions that somebody changed by hand is. Entries that no definition names, and fields that
somebody added to a dataset, stay as they are.
"""

import dataclasses
import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import datalens_sdk as sdk

from datalens.definitions import SCHEMA, Board, Chart, Dataset
from datalens.entries import chart_body, connection_body, dashboard_body, dataset_body

Client = sdk.DataLensClientYC | sdk.DataLensClientEnterprise
T = TypeVar("T")

# What of a field the definitions decide, as its body calls it.
FIELD_KEYS = ("title", "type", "calc_mode", "source", "formula", "cast", "aggregation")
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


Settled = Generator[Change, None, str]


def bring(
    client: Client,
    workbook_id: str,
    board: Board,
    database: Mapping[str, Any],
    password: str | None,
    *,
    dry_run: bool = False,
    set_password: bool = False,
) -> Iterator[Change]:
    """Bring the workbook to the definitions, entry by entry, in the order in which they need each other.

    A generator: what was yielded is done. `database` is what identifies it in a connection. `dry_run` writes nothing;
    `set_password` writes the connection's password again even if nothing else of it differs. Raises what the SDK raises, and the
    errors of this module.
    """
    run = _Run(client, workbook_id, dry_run=dry_run)
    connection_id = yield from run.connection(board, database, password, again=set_password)
    dataset_ids, chart_ids = {}, {}
    for name, dataset in board.datasets.items():
        dataset_ids[name] = yield from run.dataset(dataset, connection_id)
    for name, chart in board.charts.items():
        chart_ids[name] = yield from run.chart(chart, dataset_ids[chart.dataset.name])
    yield from run.dashboard(board, dataset_ids, chart_ids)


class _Run:
    """A method for each kind of entry: yields what was done with it, returns its id."""

    def __init__(self, client: Client, workbook_id: str, *, dry_run: bool) -> None:
        self.client = client
        self.dry_run = dry_run
        self.location = sdk.EntryLocation.workbook(workbook_id)
        self.stored: dict[tuple[str, str], list[str]] = {}
        workbook = client.get.workbook(by_id=workbook_id)
        for entry in workbook.list_entries(scope=("connection", "dataset", "widget", "dash")):
            title = (entry.name or "").rsplit("/", 1)[-1]
            self.stored.setdefault((entry.scope, title), []).append(entry.id)

    def connection(self, board: Board, database: Mapping[str, Any], password: str | None, *, again: bool) -> Settled:
        title, wanted = board.connection.title, connection_body(board, database)

        def secret() -> str:
            if not password:
                raise MissingPasswordError
            return password

        def create() -> sdk.Connection:
            builder = self.client.create.connection.postgres(name=title, location=self.location)
            for key, value in (wanted | {"password": secret()}).items():
                getattr(builder, key)(value)
            return builder.build()

        def update(stored: sdk.Connection) -> None:
            builder = stored.update
            for key, value in wanted.items():
                if differences(value, stored.raw.get(key)):
                    builder.set(key, value)
            if again or any(differences(database[key], stored.raw.get(key)) for key in ("host", "username")):
                builder.set("password", secret())
            builder.execute()

        return self.settle(
            "connection",
            title,
            read=self.client.get.connection,
            compare=lambda stored: differences(wanted, stored.raw),
            create=create,
            update=update,
            force="password: written again" if again else None,
        )

    def dataset(self, dataset: Dataset, connection_id: str) -> Settled:
        def body() -> dict[str, Any]:
            """The content, with the columns as DataLens itself sees them through the connection."""
            connection = self.client.get.connection(by_id=connection_id)
            source = self.client.create.source(using=connection).pg_table(
                alias=dataset.view, schema_name=SCHEMA, table_name=dataset.view
            )
            try:
                return dataset_body(dataset, connection_id, source.build(strict=True).raw_schema)
            except sdk.DataLensValidationError as error:
                raise UnreadableViewError(f"{SCHEMA}.{dataset.view}") from error

        def create() -> sdk.Dataset:
            snapshot: dict[str, Any] = {"id": dataset.name, "dataset": body()}
            raw = self.client.raw.create.dataset
            return raw(response_snapshot=snapshot, name=dataset.title, location=self.location).build()

        def update(stored: sdk.Dataset) -> None:
            # Not raw.replace: it drops the revision that was read, without which the server refuses.
            content = _with_own_fields(body(), _content(stored))
            dataclasses.replace(stored, raw={**stored.raw, "dataset": content}).update.mode("publish").execute()

        return self.settle(
            "dataset",
            dataset.title,
            read=self.client.get.dataset,
            compare=lambda stored: differences(
                _defined(dataset_body(dataset, connection_id)), _defined(_content(stored))
            ),
            create=create,
            update=update,
        )

    def chart(self, chart: Chart, dataset_id: str) -> Settled:
        body = chart_body(chart, dataset_id)
        # Without this a filter added by hand to a chart that has none would be no difference.
        wanted = body | {"data": {**body["data"], "sources": {"filters": [], **body["data"]["sources"]}}}

        def snapshot(entry_id: str, kind: str) -> dict[str, Any]:
            return {"entry": {"entryId": entry_id, "type": kind, **body}}

        def create() -> sdk.WizardChart:
            raw = self.client.raw.create.wizard_chart
            return raw(response_snapshot=snapshot(NOT_YET, NEW_CHART), name=chart.title, location=self.location).build()

        def update(stored: sdk.WizardChart) -> None:
            replacement = snapshot(str(stored.id), stored.wire_type or NEW_CHART)
            self.client.raw.replace.wizard_chart(target=stored, response_snapshot=replacement).mode("publish").execute()

        return self.settle(
            "chart",
            chart.title,
            scope="widget",
            read=self.client.get.wizard_chart,
            compare=lambda stored: differences(wanted, stored.raw),
            create=create,
            update=update,
        )

    def dashboard(self, board: Board, dataset_ids: Mapping[str, str], chart_ids: Mapping[str, str]) -> Settled:
        title, body = board.dashboard.title, dashboard_body(board, dataset_ids, chart_ids)

        def create() -> sdk.Dashboard:
            snapshot = {"entry": {"entryId": NOT_YET, **body}}
            raw = self.client.raw.create.dashboard
            return raw(response_snapshot=snapshot, name=title, location=self.location).build()

        def update(stored: sdk.Dashboard) -> None:
            replacement = {"entry": {"entryId": stored.id, **body}}
            self.client.raw.replace.dashboard(target=stored, response_snapshot=replacement).mode("publish").execute()

        return self.settle(
            "dashboard",
            title,
            scope="dash",
            read=self.client.get.dashboard,
            compare=lambda stored: differences(
                {key: body[key] for key in ("data", "annotation")}, stored.raw.get("entry", stored.raw)
            ),
            create=create,
            update=update,
        )

    def settle(
        self,
        kind: str,
        title: str,
        *,
        read: Callable[..., T],
        compare: Callable[[T], list[str]],
        create: Callable[[], Any],
        update: Callable[[T], None],
        scope: str | None = None,
        force: str | None = None,
    ) -> Settled:
        """Create, change or leave an entry; read it again after a write, so that what the server keeps otherwise is told."""
        ids = self.stored.get((scope or kind, title), [])
        if len(ids) > 1:
            raise TwinsError(f"{len(ids)} entries of the workbook are called {title!r} ({kind}: {', '.join(ids)})")
        if not ids:
            if self.dry_run:
                yield Change("create", kind, title)
                return NOT_YET
            entry_id = str(create().id)
            yield Change("create", kind, title, kept=tuple(compare(read(by_id=entry_id))))
            return entry_id
        stored = read(by_id=ids[0])
        found = (*compare(stored), *([force] if force else []))
        if not found:
            yield Change("same", kind, title)
        elif self.dry_run:
            yield Change("update", kind, title, found)
        else:
            update(stored)
            yield Change("update", kind, title, found, tuple(compare(read(by_id=ids[0]))))
        return ids[0]


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


def _content(dataset: sdk.Dataset) -> dict[str, Any]:
    content = dataset.raw.get("dataset")
    return dict(content) if isinstance(content, Mapping) else {}


def _defined(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the definitions decide of a dataset's content."""
    return {
        "description": content.get("description"),
        "sources": [
            {"connection_id": each["connection_id"], **each["parameters"]} for each in content.get("sources", [])
        ],
        "fields": {
            field["guid"]: {key: field.get(key) for key in FIELD_KEYS} for field in content.get("result_schema", [])
        },
    }


def _with_own_fields(body: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored content with everything of `body` in it, and the fields that somebody added."""
    ours = {field["guid"] for field in body["result_schema"]}
    theirs = [field for field in stored["result_schema"] if field["guid"] not in ours]
    replaced = ("description", "sources", "source_avatars", "avatar_relations", "result_schema_aux")
    return {
        **stored,
        **{key: body[key] for key in replaced},
        "result_schema": [*body["result_schema"], *theirs],
    }
