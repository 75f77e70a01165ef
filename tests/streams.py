"""Random histories of the warehouse: what the sources send, how it is cut into loads, what breaks in between.

A stream is a list of steps. `Run` puts it through a real PostgreSQL and tells `witness.model` the same; `settle` loads what is
left and compares everything: the vault's current rows, counters, tags and their events; an export, what its channel holds then.
The worlds are tiny on purpose (three orders, two guests, three dishes, five moments), so that versions collide all the time.
"""

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harness.pipeline import LOG, PEPPER, SQL, Pipeline
from tests import messages
from tests.channels import AUDIENCES, TELLS, Channels
from warehouse import layers
from warehouse.constants import SQL_FOLDER
from warehouse.erasures import work_off
from warehouse.laws import Law, check_laws, read_laws
from warehouse.layer_load import load_layer
from warehouse.ledger import subject_of
from warehouse.requests import DIFF, FULL
from warehouse.session import NONE, Session
from warehouse.sql_files import SqlFile
from warehouse.staging import Record, RecordStore
from witness.model import Model, tag_events

LAWS = read_laws()
# First loads come in several parts.
PART_EVENTS = 2
# The parameters of laws about what waits, stands still or is old.
MOMENTS = ("queued_before", "checked_before", "dumped_before", "restored_before", "begun_before")
CRASH = SqlFile("crash.sql", "do $$ begin raise exception 'crash'; end $$")

_COMMON = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=False,
)
PROFILES = {
    "ci": settings(_COMMON, max_examples=40, derandomize=True),
    "long": settings(_COMMON, max_examples=int(os.environ.get("STREAMS_EXAMPLES", "5000")), database=None),
}
STREAMS_PROFILE = PROFILES[os.environ.get("STREAMS_PROFILE", "ci")]


class Brief:
    """A repr that names only what differs from the default: failing streams are read by people."""

    def __repr__(self) -> str:
        shown = []
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if value != item.default:
                shown.append(f"{item.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Tell hypothesis to print it so, too."""
        printer.text(repr(self))


def moment(minute: int) -> str:
    """Return the time of a minute in the tiny world."""
    return f"2026-01-01 12:{minute:02}:00"


@dataclass(frozen=True, repr=False)
class Order(Brief):
    """A version of an order. `basket`: (dish, name or None) of each line; `blank`: a re-encoded copy of the same.

    `since`: when it came to its status; None where its statuses don't say. `more`: its attributes that are not as usual.
    """

    id: int = 1
    at: int = 0
    sent: int = 0
    status: str = "CLOSED"
    since: int | None = 0
    user: str = "ann"
    restaurant: str = "x"
    basket: tuple[tuple[str, str | None], ...] = ()
    more: tuple[tuple[str, Any], ...] = ()
    blank: bool = False

    def value(self) -> bytes:
        """Return the message."""
        return (
            messages.order(
                self.id,
                self.status,
                user=self.user,
                restaurant=self.restaurant,
                dishes=tuple(dish if name is None else f"{dish}={name}" for dish, name in self.basket),
                update_ts=moment(self.at),
                sent=moment(self.sent),
                statuses=[] if self.since is None else [{"status": self.status, "dttm": moment(self.since)}],
                **dict(self.more),
            )
            + b" " * self.blank
        )


@dataclass(frozen=True, repr=False)
class Guest(Brief):
    """A guest's document."""

    key: str = "ann"
    at: int = 0
    name: str | None = "Ann"
    login: str | None = "ann"
    phone: str | None = None
    email: str | None = None

    def document(self) -> tuple[str, str, bytes]:
        """Return (kind, key, value)."""
        fields = {"_id": self.key, "update_ts_utc": moment(self.at)}
        fields |= {name: getattr(self, name) for name in ("name", "login", "phone", "email")}
        return "user", self.key, json.dumps(fields).encode()


@dataclass(frozen=True, repr=False)
class Menu(Brief):
    """A restaurant's document. `dishes`: (dish, name or None, category or None) of each entry."""

    key: str = "x"
    at: int = 0
    name: str | None = "X"
    dishes: tuple[tuple[str, str | None, str | None], ...] = ()

    def document(self) -> tuple[str, str, bytes]:
        """Return (kind, key, value)."""
        entries = [{"_id": dish, "name": name, "category": category} for dish, name, category in self.dishes]
        fields = {"_id": self.key, "name": self.name, "menu": entries, "update_ts_utc": moment(self.at)}
        return "restaurant", self.key, json.dumps(fields).encode()


@dataclass(frozen=True, repr=False)
class Stage(Brief):
    """A chunk of Kafka. With `crash` the first try fails and is rolled back."""

    orders: tuple[Order, ...] = ()
    crash: bool = False


@dataclass(frozen=True, repr=False)
class Refer(Brief):
    """What a run reads from Redis."""

    documents: tuple[Guest | Menu, ...] = ()


@dataclass(frozen=True, repr=False)
class Rule(Brief):
    """A rule is written or changed; `threshold` None: deleted, -1: made inactive. `leaves`: its exit threshold, if not above."""

    tag: str = "fan"
    category: str = "Pizza"
    threshold: int | None = 0
    window: int | None = None
    leaves: int | None = None


@dataclass(frozen=True, repr=False)
class LoadDds(Brief):
    """Loads of the vault. `crash_at`: the number of statements after which the first batch fails."""

    max_events: int | None = None
    max_batches: int | None = None
    crash_at: int | None = None


@dataclass(frozen=True, repr=False)
class LoadCdm(Brief):
    """A load of the marts. `crash_at`: the number of statements after which it fails; `overtaken_at`: after which another
    session loads all that waits for the vault; `max_rule_guests`: one batch, with the first of the changed rules for so many."""

    crash_at: int | None = None
    overtaken_at: int | None = None
    max_rule_guests: int | None = None


@dataclass(frozen=True, repr=False)
class Minute(Brief):
    """A chunk of Kafka on its way to the marts."""

    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, repr=False)
class Tick(Brief):
    """The moment as of which the marts are loaded moves on."""

    minutes: int = 1


@dataclass(frozen=True, repr=False)
class Erase(Brief):
    """A guest is erased, whatever of them still waits."""

    user: str = "ann"


@dataclass(frozen=True, repr=False)
class Return(Brief):
    """A guest who was erased has come back: orders that began at `at` or later are theirs."""

    user: str = "ann"
    at: int = 0


@dataclass(frozen=True, repr=False)
class Tell(Brief):
    """A file says of a guest that they are `suppressed`, that one of their phones is (`hidden`), `consents` or `withdraws`."""

    user: str = "ann"
    what: str = "suppressed"


@dataclass(frozen=True, repr=False)
class Export(Brief):
    """Everything is loaded, and an audience is handed over."""

    audience: str = "fans"
    mode: str = DIFF


@dataclass(frozen=True, repr=False)
class Settle(Brief):
    """Everything is loaded and compared."""


@dataclass(frozen=True, repr=False)
class Replay(Brief):
    """Everything that was ever sent arrives once more, backwards."""


@dataclass(frozen=True, repr=False)
class Rebuild(Brief):
    """The vault or the marts are built again."""

    layer: str = "cdm"


Step = (
    Stage
    | Refer
    | Rule
    | LoadDds
    | LoadCdm
    | Minute
    | Tick
    | Erase
    | Return
    | Tell
    | Export
    | Settle
    | Replay
    | Rebuild
)

# --- what can happen -----------------------------------------------------------------------------------------------------

MINUTES = st.integers(0, 4)
DISHES = st.sampled_from(["a", "b", "c"])
USERS = st.sampled_from(["ann", "bob"])
RESTAURANTS = st.sampled_from(["x", "y"])
CATEGORIES = st.sampled_from(["Pizza", "Tea"])
NAMES = st.sampled_from([None, "N1", "N2"])

ORDERS = st.builds(
    Order,
    id=st.integers(1, 3),
    at=MINUTES,
    sent=st.integers(0, 1),
    status=st.sampled_from(["CLOSED", "CLOSED", "CANCELLED", "OPEN"]),
    since=st.sampled_from([0, 0, 1, None]),
    user=USERS,
    restaurant=RESTAURANTS,
    basket=st.lists(st.tuples(DISHES, NAMES), max_size=3).map(tuple),
    more=st.tuples(
        *(
            st.sampled_from([(name, known.usual), (name, known.usual), *((name, other) for other in known.others)])
            for name, known in messages.ATTRIBUTES.items()
        )
    ),
    blank=st.booleans(),
)
GUESTS = st.builds(
    Guest,
    key=USERS,
    at=MINUTES,
    name=st.sampled_from(["Ann", "Bob", None]),
    login=st.sampled_from(["ann", None]),
    phone=st.sampled_from(["+7 999 123-45-67", "8 999 123 45 67", "8 999 765-43-21", None]),
    email=st.sampled_from(["ann@example.com", "", None]),
)
MENUS = st.builds(
    Menu,
    key=RESTAURANTS,
    at=MINUTES,
    name=st.sampled_from(["X", "Y", None]),
    dishes=st.lists(st.tuples(DISHES, NAMES, st.one_of(CATEGORIES, st.none())), max_size=3).map(tuple),
)
DOCUMENTS = st.one_of(MENUS, MENUS, GUESTS)
RULES = st.builds(
    Rule,
    tag=st.sampled_from(["fan", "lover"]),
    category=CATEGORIES,
    threshold=st.sampled_from([0, 0, 1, 2, -1, None]),
    window=st.sampled_from([None, None, 1, 2]),
    leaves=st.sampled_from([None, None, 0, 1]),
)
DAY = 24 * 60
TICKS = st.builds(Tick, minutes=st.sampled_from([1, 2, 3, DAY - 2, DAY - 1, DAY, DAY + 1]))
FEW = st.one_of(st.none(), st.integers(1, 3))
DDS_LOADS = st.builds(LoadDds, max_events=FEW, max_batches=FEW)
DDS_CRASHES = st.builds(
    LoadDds,
    max_events=FEW,
    max_batches=FEW,
    crash_at=st.integers(0, len(layers.DDS.claim + layers.DDS.load + layers.DDS.settle)),
)
CDM_CRASHES = st.builds(LoadCdm, crash_at=st.integers(0, len(layers.CDM.claim + layers.CDM.load)))
CDM_LOADS = st.sampled_from([LoadCdm(), LoadCdm(max_rule_guests=1)])
CDM_OVERTAKEN = st.builds(LoadCdm, overtaken_at=st.integers(0, len(layers.CDM.claim + layers.CDM.load) - 1))

ERASURES = st.builds(Erase, user=USERS)
RETURNS = st.builds(Return, user=USERS, at=MINUTES)
TOLD = st.builds(Tell, user=USERS, what=st.sampled_from(TELLS))
EXPORTS = st.builds(Export, audience=st.sampled_from(list(AUDIENCES)), mode=st.sampled_from([DIFF, DIFF, FULL]))

# Guests and dishes that are known are counted by baskets from here on; who and what is new is counted whole.
KNOWN: list[Step] = [
    Refer((Menu(dishes=(("a", "N1", "Pizza"), ("b", "N1", "Pizza"), ("c", "N2", "Tea"))),)),
    Stage((Order(user="ann", basket=(("a", None), ("b", None))), Order(2, user="bob", basket=(("c", None),)))),
    LoadDds(),
    LoadCdm(),
]
# Guests who are at the channels.
PEOPLE: list[Step] = [
    *KNOWN,
    Refer((Guest("ann", phone="+7 999 123-45-67"), Guest("bob", phone="8 999 765-43-21"))),
    Rule(),
    Stage((Order(3, user="bob", basket=(("a", None),)),)),
    Tell("bob", "consents"),
    Export(),
]


def steps(chunk: int, *, people: bool) -> st.SearchStrategy[Step]:
    """Return what can happen, with chunks of up to `chunk` messages; with `people`, guests are handed over and forgotten, too."""
    stages = st.builds(
        Stage,
        orders=st.lists(ORDERS, min_size=1, max_size=chunk).map(tuple),
        crash=st.sampled_from([False, False, False, True]),
    )
    minutes = st.builds(Minute, orders=st.lists(ORDERS, min_size=1, max_size=chunk).map(tuple))
    refers = st.builds(Refer, documents=st.lists(DOCUMENTS, min_size=1, max_size=chunk).map(tuple))
    return st.one_of(
        stages,
        stages,
        minutes,
        minutes,
        refers,
        refers,
        RULES,
        TICKS,
        DDS_LOADS,
        DDS_LOADS,
        CDM_LOADS,
        CDM_OVERTAKEN,
        DDS_CRASHES,
        CDM_CRASHES,
        st.just(Settle()),
        st.sampled_from([Replay(), Rebuild("cdm"), Rebuild("dds")]),
        *((st.one_of(ERASURES, ERASURES, RETURNS), TOLD, EXPORTS, EXPORTS) if people else ()),
    )


def streams(length: int = 16, chunk: int = 5, *, people: bool = True) -> st.SearchStrategy[list[Step]]:
    """Return histories of up to `length` steps, and of no less than half of that: in shorter ones hardly anything changes."""
    begin = st.sampled_from([[], KNOWN, PEOPLE if people else KNOWN])
    return st.tuples(begin, st.lists(steps(chunk, people=people), min_size=length // 2, max_size=length)).map(
        lambda parts: [*parts[0], *parts[1]]
    )


# --- putting them through ------------------------------------------------------------------------------------------------

TABLE = re.compile(r"^CREATE TABLE dds\.(e?s_\w+) \((.*?)^\);", re.DOTALL | re.MULTILINE)
# What a row of a satellite has besides what it is about: keys, which row is the newest, where it comes from.
SYSTEM = re.compile(
    r"hk?_\w+_pk|(effective|sent|load)_dttm|load_dt|load_src|value_hash|restaurant_id|is_active|is_from_menu"
)


def satellites(schema: str) -> dict[str, list[str]]:
    """Return {satellite: the columns that it is about}; one of a link has none of its own."""
    return {
        table: [name for name in re.findall(r"^    ([a-z_]+) ", body, re.MULTILINE) if not SYSTEM.fullmatch(name)]
        for table, body in TABLE.findall(schema)
    }


SCHEMA = Path(SQL_FOLDER, "schema.sql").read_text(encoding="utf-8")
# Satellites of links, by the business keys: the other side that holds now.
OF_LINKS = {
    "es_order_user": """
        select hub.order_id, guest.user_id
        from dds.h_order as hub
        left join dds.current_order_user as owner on hub.h_order_pk = owner.h_order_pk
        left join dds.h_user as guest on owner.h_user_pk = guest.h_user_pk
    """,
    "es_order_product": """
        select hub.order_id, array_agg(dish.product_id) as product_ids
        from dds.current_order_product as held
        inner join dds.h_order as hub on held.h_order_pk = hub.h_order_pk
        inner join dds.h_product as dish on held.h_product_pk = dish.h_product_pk
        where held.is_active
        group by hub.order_id
    """,
    "es_product_category": """
        select dish.product_id, category.category_name
        from dds.current_product_category as es
        inner join dds.h_product as dish on es.h_product_pk = dish.h_product_pk
        inner join dds.h_category as category on es.h_category_pk = category.h_category_pk
    """,
}
# Those of hubs: s_order_cost is one of dds.h_order, whose business key is order_id.
OF_HUBS = {
    name: f"""
        select hub.{hub}_id, {", ".join(f"s.{column}" for column in about)}
        from dds.{name.replace("s_", "current_", 1)} as s
        inner join dds.h_{hub} as hub on s.h_{hub}_pk = hub.h_{hub}_pk
    """
    for name, about in satellites(SCHEMA).items()
    if name.startswith("s_")
    for hub in [name.split("_")[1]]
}
# Of each guest who waits for the marts: are they counted anew, and the baskets that came or went.
WAITING = "select bool_or(h_order_pk is null), count(h_order_pk) from dds.counter_queue group by h_user_pk"
SEQUENCES = "select schemaname || '.' || sequencename, last_value from pg_sequences order by 1"


def current_rows(pipeline: Pipeline) -> dict[str, dict[Any, dict[str, Any]]]:
    """Return what the vault says now, as `Model.satellites` does."""
    found = {}
    for name, query in (OF_HUBS | OF_LINKS).items():
        rows = pipeline.owner.execute(query)
        _, *columns = [column.name for column in rows.description or ()]
        found[name] = {row[0]: dict(zip(columns, map(_bare, row[1:]), strict=True)) for row in rows}
    return found


def _bare(value: Any) -> Any:
    return frozenset(value) if isinstance(value, list) else value


def warehouse_state(pipeline: Pipeline) -> dict[str, Any]:
    """Return what the warehouse says now, by the sources' ids."""
    newest = pipeline.rows("select object_id, value_hash from stg.order_events")
    return current_rows(pipeline) | pipeline.marts() | {"newest": {i: value_hash.bytes for i, value_hash in newest}}


def model_state(model: Model) -> dict[str, Any]:
    """Return what it must say."""
    newest = {order_id: version.age.hash for order_id, version in model.current().items()}
    return model.satellites() | model.marts() | {"newest": newest}


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return a line for each part that differs."""
    return [
        f"{part}: {found[part]}, but must be {expected[part]}" for part in expected if found[part] != expected[part]
    ]


def broken_laws(connection: psycopg.Connection[Any], more: Sequence[Law] = (), **moments: Any) -> dict[str, int]:
    """Return the laws of sql/checks, and those of `more`, that the warehouse breaks now, with the number of rows.

    `moments`: those of `MOMENTS` that are not half an hour ago.
    """
    session = Session(connection, SQL, log=LOG)
    params = {"lock_timeout_ms": 0, **dict.fromkeys(MOMENTS, datetime.now(UTC) - timedelta(minutes=30)), **moments}
    broken, unanswered = check_laws(session, [*LAWS, *more], params, max_rows=5)
    assert not unanswered
    return broken


@dataclass
class Tally:
    """What a campaign has done."""

    streams: int = 0
    batches: int = 0
    recounts: int = 0
    baskets: int = 0
    overtaken: int = 0
    crashes: int = 0
    comparisons: int = 0
    replays: int = 0
    erasures: int = 0
    exports: int = 0
    removals: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{value:,} {name}" for name, value in vars(self).items())


TALLY = Tally()


class Broom:
    """Empties the warehouse quickly: DELETE of a few rows takes a tenth of the TRUNCATE of two dozen tables."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.admin = psycopg.connect(self.admin_url(pipeline), autocommit=True)
        self.admin.execute("set session_replication_role = replica")  # neither foreign keys nor the triggers of rules
        tables = pipeline.rows("select schemaname, tablename from pg_tables where schemaname in ('stg', 'dds', 'cdm')")
        self.statement = ";".join(f"delete from {schema}.{table}" for schema, table in sorted(tables))
        self.uses = 0

    @staticmethod
    def admin_url(pipeline: Pipeline) -> str:
        """Return the address of the warehouse for the superuser."""
        return pipeline.env["DWH_ADMIN_URL"].rsplit("/", 1)[0] + "/" + pipeline.env["DWH_URL"].rsplit("/", 1)[1]

    def sweep(self) -> None:
        """Empty all tables."""
        self.uses += 1
        if self.uses % 500 == 1:
            self.pipeline.clear()
        else:
            self.admin.execute(self.statement)

    def close(self) -> None:
        """Close the connection."""
        self.admin.close()


class OvertakenSession(Session):
    """A session whose load is overtaken by another one after `overtaken_at` of the statements that follow its turn."""

    def __init__(self, *arguments: Any, overtaken_at: int, overtake: Callable[[], None], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._left = overtaken_at
        self._overtake = overtake

    def run(self, names: Iterable[str], params: Mapping[str, Any] = NONE) -> dict[str, int]:
        """Run the files one by one."""
        written: dict[str, int] = {}
        for name in names:
            if name in layers.CDM.claim + layers.CDM.load:
                if self._left == 0:
                    self._overtake()
                self._left -= 1
            written |= super().run([name], params)
        return written


def load_cdm_overtaken(pipeline: Pipeline, overtaken_at: int, as_of: datetime | None = None) -> int:
    """Load a batch of the marts; after `overtaken_at` of its statements another session loads all that waits for the vault."""
    with Pipeline(pipeline.env) as other:

        def overtake() -> None:
            TALLY.overtaken += other.load_dds()["batches"]

        session = OvertakenSession(pipeline.etl, SQL, log=LOG, overtaken_at=overtaken_at, overtake=overtake)
        return load_layer(session, layers.CDM, {"as_of": as_of}, max_batches=1)["batches"]


@dataclass
class Run:
    """One stream on its way through the warehouse, and the model beside it."""

    pipeline: Pipeline
    model: Model = field(default_factory=Model)
    values: list[bytes] = field(default_factory=list)
    documents: list[tuple[str, str, bytes]] = field(default_factory=list)
    as_of: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    channels: Channels = field(init=False)
    returned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.channels = Channels(self.pipeline, self.model)

    def play(self, stream: Iterable[Step]) -> None:
        """Take the steps one by one."""
        TALLY.streams += 1
        for step in stream:
            self.take(step)

    def take(self, step: Step) -> None:
        """Take one step."""
        match step:
            case Tick():
                self.as_of += timedelta(minutes=step.minutes)
            case Settle() | Replay() | Rebuild():
                self._take_whole(step)
            case Stage():
                self.send([order.value() for order in step.orders], crash=step.crash)
            case Refer():
                self.read([document.document() for document in step.documents])
            case Rule():
                self.rule(step.tag, step.category, step.threshold, step.window, step.leaves)
            case LoadDds():
                self._load_dds(step)
            case LoadCdm():
                self._load_cdm(step)
            case Minute():
                self.send([order.value() for order in step.orders])
                self._load_dds(LoadDds())
                self._load_cdm(LoadCdm())
            case Erase() | Return() | Tell() | Export():
                self._take_people(step)

    def _take_people(self, step: Erase | Return | Tell | Export) -> None:
        match step:
            case Erase():
                self.erase(step.user)
            case Return():
                self._reopen(step)
            case Tell():
                self.channels.tell(step.user, step.what)
            case Export():
                self.settle()
                TALLY.exports += 1
                TALLY.removals += self.channels.export(step.audience, step.mode)

    def _take_whole(self, step: Settle | Replay | Rebuild) -> None:
        match step:
            case Settle():
                self.settle()
            case Replay():
                self.replay()
            case Rebuild():
                self._rebuild(step.layer)

    def settle(self) -> dict[str, Any]:
        """Load what is left, compare everything with the model, and return it."""
        self._load_dds(LoadDds())
        self._load_cdm(LoadCdm())
        TALLY.comparisons += 1
        self.model.as_of = self.as_of
        found = warehouse_state(self.pipeline)
        assert not differences(found, model_state(self.model)), "\n".join(differences(found, model_state(self.model)))
        return found

    def replay(self) -> None:
        """Everything arrives once more: no row changes and no serial number is burnt."""
        self.settle()
        before = self._rows(), self.pipeline.rows(SEQUENCES)
        self.pipeline.stage(reversed(self.values))
        self.pipeline.refer(self.documents[::-1])
        self._load_dds(LoadDds())
        self._load_cdm(LoadCdm())
        TALLY.replays += 1
        assert (self._rows(), self.pipeline.rows(SEQUENCES)) == before

    def _rows(self) -> dict[str, list[Any]]:
        """Return every row, but keys of guests who have come back: an order that was stored without them asks for them again."""
        keys = {f"'object_id': '{guest}'" for guest in self.returned}
        tables = self.pipeline.snapshot()
        wanted = [row for row in tables["stg.reference_keys"] if not any(key in row for key in keys)]
        return tables | {"stg.reference_keys": wanted}

    def send(self, values: Sequence[bytes], *, crash: bool = False) -> None:
        """Stage messages as one chunk; with `crash` the first try fails."""
        if crash:
            store = RecordStore(self._session(), layers.ORDERS._replace(finish=(CRASH.name,)), UTC, lambda: PEPPER)
            self._crash(lambda: store.store([Record(value, None, "test", 0, n) for n, value in enumerate(values)]))
        self.pipeline.stage(values)
        self.model.messages(values)
        self.values += values

    def read(self, documents: Sequence[tuple[str, str, bytes]]) -> None:
        """Stage what a run reads from Redis."""
        self.pipeline.refer(documents)
        for document in documents:
            self.model.document(*document)
        self.documents += documents

    def erase(self, guest: str) -> None:
        """Erase a guest, whatever of them still waits."""
        self.pipeline.owner.execute("select stg.request_erasure(%s)", [guest])
        assert len(list(work_off(self.pipeline.session, lambda: PEPPER))) == 1
        TALLY.erasures += 1
        self.channels.forget(guest)
        self.model.erase(guest)

    def _reopen(self, step: Return) -> None:
        moment = datetime(2026, 1, 1, 12, step.at, tzinfo=UTC)
        reopened = self.pipeline.owner.execute(
            "update stg.erasures set reopened_dt = %s where subject_hmac = %s and reopened_dt is null",
            [moment, subject_of(PEPPER, step.user)],
        )
        if reopened.rowcount:
            self.model.reopen(step.user, moment)
            self.returned.add(step.user)
            # What Redis held of them before would be read again.
            self.documents = [told for told in self.documents if told[:2] != ("user", step.user)]

    def rule(
        self, tag: str, category: str, threshold: int | None, window: int | None = None, leaves: int | None = None
    ) -> None:
        """Write or change a rule, as a `Rule` does."""
        execute = self.pipeline.owner.execute
        if threshold is None:
            execute("delete from cdm.tag_rules where tag = %s", [tag])
            self.model.drop_rule(tag)
        elif threshold < 0:
            execute("update cdm.tag_rules set active = false where tag = %s", [tag])
            self.model.drop_rule(tag)
        else:
            leaves = None if leaves is None else min(leaves, threshold)
            values = [category, threshold, window, leaves, tag]
            # The category of a rule in force stays.
            execute("update cdm.tag_rules set active = false where tag = %s and category_name <> %s", [tag, category])
            changed = execute(
                "update cdm.tag_rules set category_name = %s, threshold = %s, window_days = %s, exit_threshold = %s,"
                " active = true where id = (select id from cdm.tag_rules where tag = %s order by active desc, id desc limit 1)",
                values,
            )
            if not changed.rowcount:
                execute(
                    "insert into cdm.tag_rules (category_name, threshold, window_days, exit_threshold, tag)"
                    " values (%s, %s, %s, %s, %s)",
                    values,
                )
            self.model.add_rule(tag, category, threshold, window, leaves)

    def _load_dds(self, step: LoadDds) -> None:
        if step.crash_at is not None:
            self._load_and_crash(
                layers.DDS,
                step.crash_at,
                max_events=step.max_events,
                max_first_events=step.max_events,
                part_events=PART_EVENTS,
            )
        else:
            TALLY.batches += self.pipeline.load_dds(step.max_events, step.max_batches, part_events=PART_EVENTS)[
                "batches"
            ]

    def _load_cdm(self, step: LoadCdm) -> None:
        if step.crash_at is not None:
            self._load_and_crash(layers.CDM, step.crash_at, as_of=self.as_of)
            return
        before, events = self.pipeline.user_tags(), len(self.pipeline.tag_events())
        waiting = self.pipeline.rows(WAITING)
        TALLY.recounts += sum(is_recounted for is_recounted, _ in waiting)
        TALLY.baskets += sum(baskets for is_recounted, baskets in waiting if not is_recounted)
        # A first load of the vault waits, for as long as it may, until nobody looks at it.
        if step.overtaken_at is None or not self.pipeline.value("select exists (select from dds.h_order)"):
            limits = {"max_rule_guests": step.max_rule_guests, "max_batches": step.max_rule_guests and 1}
            TALLY.batches += self.pipeline.load_cdm(self.as_of, **limits)["batches"]
        else:
            TALLY.batches += load_cdm_overtaken(self.pipeline, step.overtaken_at, self.as_of)
        after, history = self.pipeline.user_tags(), self.pipeline.tag_events()
        new = [event[:3] for event in history[events:]]
        assert len(new) == len(set(new))
        assert set(new) == tag_events(before, after), "the events of a run are what it has changed"
        carried: set[tuple[str, str]] = set()
        for user, tag, event, count, threshold, _ in history:
            assert ((user, tag) in carried) == (event == "revoked"), "assigned and revoked take turns"
            assert event == "revoked" or count > threshold or count > self._keeps(tag)
            carried ^= {(user, tag)}
        assert carried == after.keys(), "the events add up to the tags"

    def _keeps(self, tag: str) -> int:
        """Return the least exit threshold that the tag has ever had."""
        return int(
            self.pipeline.value(
                "select min(coalesce(exit_threshold, threshold)) from cdm.tag_rule_versions where tag = %s", [tag]
            )
        )

    def _rebuild(self, layer: str) -> None:
        if layer == "dds":
            load_layer(
                self.pipeline.session,
                layers.DDS_REBUILD,
                {**layers.REBUILD_BATCH, "part_events": PART_EVENTS},
                max_batches=1,
            )
        else:
            load_layer(self.pipeline.session, layers.CDM_REBUILD, {"as_of": self.as_of}, max_batches=1)

    def _session(self) -> Session:
        """Return a session that can crash."""
        return Session(self.pipeline.etl, [*SQL, CRASH], log=LOG)

    def _load_and_crash(self, layer: layers.Layer, crash_at: int, **params: Any) -> None:
        run = [*layer.claim, *layer.load, *layer.settle]
        run.insert(crash_at, CRASH.name)
        crashing = layer._replace(claim=tuple(run), load=(), settle=())
        self._crash(lambda: load_layer(self._session(), crashing, params, max_batches=1))

    def _crash(self, load: Any) -> None:
        TALLY.crashes += 1
        try:
            load()
        except psycopg.errors.RaiseException:
            return
        raise AssertionError("the load was to fail in the middle")
