"""Whatever comes: stored right, skipped, or a dead letter with its reason; and none of it costs its neighbours."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.pipeline import Pipeline
from harness.runs import drain
from tests.messages import order, restaurant, user
from tests.warehouse.bad_messages import CASES, SKIPPED, SPECIAL_TEXTS, STORED, Case
from tests.warehouse.message_fields import places, read
from warehouse.order_event import parse_order_event
from warehouse.rejection import Reason, RejectedError
from witness.model import Model, RefusedError, read_order

GOOD = [order(n, user=f"neighbour {n}") for n in range(len(CASES) + 1)]
REFUSED = [case for case in CASES if case.verdict not in (STORED, SKIPPED)]


def verdict_on(value: bytes | None) -> str:
    try:
        event = parse_order_event(value)
    except RejectedError as error:
        return error.reason
    return SKIPPED if event is None else STORED


def by_name(case: Case) -> str:
    return case.name


def between_good_ones() -> list[bytes | None]:
    """Every case with a good message before and after it."""
    return [value for good, case in zip(GOOD, CASES, strict=False) for value in (good, case.value)] + GOOD[-1:]


def assert_all_as_the_table_says(pipeline: Pipeline) -> None:
    stored = {
        bytes(value) for (value,) in pipeline.rows("select convert_to(value::text, 'UTF8') from stg.order_event_log")
    }
    assert stored == {*GOOD, *(case.value for case in CASES if case.verdict == STORED)}
    assert Counter(pipeline.dead_letters()) == Counter((case.verdict, case.value) for case in REFUSED)
    payloads = {bytes(v) for (v,) in pipeline.rows("select convert_to(payload::text, 'UTF8') from stg.order_events")}
    assert all(any(payload in value for value in stored) for payload in payloads)


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_each_kind_of_input_has_one_rule(case: Case) -> None:
    assert verdict_on(case.value) == case.verdict


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_an_independent_reading_of_the_contract_judges_the_same(case: Case) -> None:
    assert Model().message(case.value) == case.verdict


@pytest.mark.parametrize("case", REFUSED, ids=by_name)
def test_a_refusal_is_told_in_words_that_any_table_and_log_can_hold(case: Case) -> None:
    with pytest.raises(RejectedError) as refusal:
        parse_order_event(case.value)
    assert 10 < len(refusal.value.detail) < 400
    assert refusal.value.detail.isascii()
    assert refusal.value.detail.isprintable()


def test_the_table_covers_every_reason_that_a_message_can_have() -> None:
    assert {case.verdict for case in REFUSED} == set(Reason) - {
        Reason.WRONG_DOCUMENT,
        Reason.NOT_A_STRING,
        Reason.REFUSED_BY_DATABASE,
        Reason.UNREADABLE_BATCH,
        Reason.WITHDRAWN,
    }
    assert len({case.value for case in CASES}) == len(CASES)


def test_bad_messages_cost_no_neighbour_of_their_batch(pipeline: Pipeline) -> None:
    counts = pipeline.stage(between_good_ones())
    verdicts = Counter(case.verdict for case in CASES)
    assert counts["messages"] == len(GOOD) + len(CASES)
    assert counts["skipped"] == verdicts[SKIPPED]
    assert counts["refused"] == len(REFUSED)
    assert {name: n for name, n in counts.items() if name.startswith("refused:")} == {
        f"refused:{reason}": n for reason, n in verdicts.items() if reason not in (STORED, SKIPPED)
    }
    assert_all_as_the_table_says(pipeline)


def test_what_is_stored_goes_the_whole_way_and_a_replay_of_all_of_it_adds_nothing(pipeline: Pipeline) -> None:
    pipeline.stage(between_good_ones())
    pipeline.load()
    model = Model()
    model.messages(between_good_ones())
    assert pipeline.user_product_counters() == model.user_product_counters()
    before = pipeline.snapshot()
    pipeline.stage(between_good_ones())
    pipeline.load()
    assert pipeline.snapshot() == before
    pipeline.stage([b"one more", order(-1)])
    for table in ("dead_letters", "order_events"):
        assert pipeline.value(f"select max(id) = count(*) from stg.{table}"), "a replay has burnt ids"


def test_money_and_times_arrive_exactly(pipeline: Pipeline) -> None:
    cost = "123456789012345678901234567890.1234567890"
    pipeline.stage(
        [
            order(1, cost="@", payment="1e3").replace(b'"@"', cost.encode()),
            order(2, cost="0e999999", payment="-0.10", update_ts="2026-01-01T03:00:00.123456789+03:00"),
        ]
    )
    found = pipeline.rows(
        "select cost::text, payment::text, (update_ts at time zone 'UTC')::text from stg.order_event_log order by object_id"
    )
    assert found == [
        (cost, "1000", "2026-01-01 12:00:00"),
        ("0", "-0.10", "2026-01-01 00:00:00.123456"),
    ]


def test_special_texts_reach_the_marts_to_the_letter(pipeline: Pipeline) -> None:
    """As ids, names and categories at once: they pass JSON, COPY, array literals, hash keys and five tables."""
    # Tags of which one differs from another by case only are refused.
    tags = {text: f"{number}. {text}" for number, text in enumerate(SPECIAL_TEXTS)}
    for text, tag in tags.items():
        pipeline.owner.execute(
            "insert into cdm.tag_rules (tag, category_name, threshold) values (%s, %s, 0)", [tag, text]
        )
    pipeline.stage(order(n, user=text, restaurant=text, dishes=(text,)) for n, text in enumerate(SPECIAL_TEXTS))
    pipeline.load()
    assert pipeline.user_category_counters() == {}
    pipeline.refer(
        [
            document
            for text in SPECIAL_TEXTS
            for document in (
                ("restaurant", text, restaurant(text, name=text, menu={f"{text}={text}": text})),
                ("user", text + "!", user(text + "!", name=text, login=text)),
            )
        ]
    )
    pipeline.load()
    assert pipeline.user_product_counters() == {(text, text): (text, 1) for text in SPECIAL_TEXTS}
    assert pipeline.user_tags() == {(text, tag): (text, 1, 0) for text, tag in tags.items()}
    assert set(pipeline.rows("select username, userlogin from dds.s_user_names")) == {(t, t) for t in SPECIAL_TEXTS}
    assert set(pipeline.rows("select name from dds.s_restaurant_names")) == {(text,) for text in SPECIAL_TEXTS}


# --- through Kafka ---------------------------------------------------------------------------------------------------


def test_offsets_move_over_bad_messages_and_dead_letters_say_where_they_lay(pipeline: Pipeline) -> None:
    # The broker takes 1 MiB by default: of what is larger only a topic that allows it can hold anything.
    large = pipeline.topic(partitions=1, max_bytes=8_000_000)
    values = between_good_ones()
    pipeline.produce(large, values, [b"key %d" % position for position in range(len(values))])

    counts = drain(large, chunk_messages=50)

    assert counts["messages"] == len(values)
    assert counts["refused"] == len(REFUSED)
    assert counts["refused:oversized"] == sum(case.verdict == "oversized" for case in CASES)
    assert_all_as_the_table_says(pipeline)
    found = pipeline.rows(
        'select topic, "partition", "offset", message_key, raw, attempts from stg.dead_letters order by id'
    )
    assert len(found) == len(REFUSED)
    for found_topic, partition, offset, key, value, attempts in found:
        assert (found_topic, partition, attempts, key) == (large, 0, 1, b"key %d" % offset)
        assert values[offset] == value
    assert [offset for _, _, offset, _, _, _ in found] == sorted(offset for _, _, offset, _, _, _ in found)
    assert drain(large)["messages"] == 0, "the offsets have not moved on"


def test_tombstones_are_told_apart_by_their_keys(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(1), None, None, None, None, order(2)], [b"1", b"1", None, b"1", b"2", b"2"])
    assert drain(topic)["refused:tombstone"] == 4
    found = pipeline.rows('select message_key, "offset", raw from stg.dead_letters order by id')
    assert found == [(b"1", 1, None), (None, 2, None), (b"2", 4, None)]
    assert pipeline.value("select count(*) from stg.order_events") == 2, "a tombstone retracts nothing"


# --- anything --------------------------------------------------------------------------------------------------------

LETTERS = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from("\x00\x01\t\n\r\\\"'{},%N\ud800\udfff🍕й"),
)
TEXTS = st.one_of(
    st.text(LETTERS, max_size=12),
    st.sampled_from(
        ["", "x" * 200, "x" * 201, "1e41", "1e-41", "2026-01-01 12:00:00", "2099-01-01T00:00:00Z", "CLOSED"]
    ),
    st.datetimes().map(lambda moment: moment.isoformat(" ")),
    st.decimals().map(str),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TEXTS),
    lambda children: st.one_of(st.lists(children, max_size=3), st.dictionaries(TEXTS, children, max_size=3)),
    max_leaves=6,
)
PLACES = [*places(read(parse_order_event, order())), ("payload", "order_items", 1, "name"), ("payload", "unknown")]


HOURS = [*(f"2026-11-25 1{hour}:00:00" for hour in range(4)), None]


def replaced(message: Any, place: tuple[Any, ...], value: Any) -> Any:
    """`message` with the value at `place` replaced, where there is such a place; ... drops it."""
    parent = message
    try:
        for step in place[:-1]:
            parent = parent[step]
        if value is ...:
            del parent[place[-1]]
        else:
            parent[place[-1]] = value
    except (LookupError, TypeError):
        pass  # an earlier replacement has taken the place away
    return message


def dumped(document: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@st.composite
def mutated_orders(draw: st.DrawFn, most: int = 3) -> bytes:
    """A good message with a few fields replaced by anything."""
    message = json.loads(order(draw(st.integers(1, 50)), dishes=("pizza=Pizza", "tea=Tea")))
    for _ in range(draw(st.integers(1, most))):
        replaced(message, draw(st.sampled_from(PLACES)), draw(st.one_of(st.just(...), JSON)))
    return dumped(message, ascii_only=draw(st.booleans()))


@st.composite
def torn_orders(draw: st.DrawFn) -> bytes:
    """The bytes of a good message with a piece cut out and anything put in."""
    value = order(draw(st.integers(1, 50)), dishes=("pizza=Пицца",))
    begin = draw(st.integers(0, len(value)))
    end = draw(st.integers(begin, min(begin + 10, len(value))))
    piece = draw(
        st.one_of(st.binary(max_size=6), st.sampled_from([b"\\u0000", b"\\ud800", b"NaN", b"{", b"[", b'"', b"1e9"]))
    )
    return value[:begin] + piece + value[end:]


@st.composite
def odd_orders(draw: st.DrawFn) -> bytes:
    """Mostly lawful messages of odd texts, times and numbers."""
    text = st.text(LETTERS, min_size=1, max_size=8)
    moments = st.datetimes().map(lambda moment: moment.isoformat(" "))
    step = st.fixed_dictionaries(
        {},
        optional={"status": st.sampled_from(["CLOSED", "CLOSED", "CANCELLED", None]), "dttm": st.sampled_from(HOURS)},
    )
    money = st.one_of(st.decimals(allow_nan=False, places=2).map(str), st.integers(-(2**70), 2**70), st.none())
    return order(
        draw(st.integers(-(2**63), 2**63 - 1)),
        draw(st.one_of(st.just("CLOSED"), text)),
        user=draw(text),
        restaurant=draw(text),
        dishes=tuple(f"{draw(text)}={draw(text)}" for _ in range(draw(st.integers(0, 3)))),
        update_ts=draw(st.datetimes().map(lambda moment: f"{moment.replace(microsecond=0)}")),
        cost=draw(money),
        payment=draw(money),
        date=draw(moments),
        statuses=draw(st.lists(step, max_size=6)),
    )


ANYTHING = st.one_of(
    odd_orders(),
    odd_orders(),
    mutated_orders(most=1),
    mutated_orders(),
    torn_orders(),
    st.binary(max_size=60),
    st.builds(dumped, JSON, ascii_only=st.booleans()),
)
FEW_HUNDRED = settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


CALLED_IN_THE_MODEL = {"object_id": "order_id", "final_status": "status", "closed_dttm": "closed_at"}


@FEW_HUNDRED
@given(ANYTHING)
def test_anything_is_taken_skipped_or_refused_and_an_independent_reading_agrees(value: bytes) -> None:
    try:
        event = parse_order_event(value)
    except RejectedError:
        with pytest.raises(RefusedError):
            read_order(value)
        return
    version = read_order(value)
    if event is None:
        assert version is None
        return
    assert version is not None
    assert (event.update_ts, event.sent_dttm) == version.age[:2]
    assert dict(zip(event.item_ids, event.item_names, strict=True)) == version.dishes
    for name, value in event._asdict().items():
        if name not in ("update_ts", "sent_dttm", "item_ids", "item_names"):
            assert value == getattr(version, CALLED_IN_THE_MODEL.get(name, name)), name


@FEW_HUNDRED
@given(mutated_orders(most=1))
def test_a_message_with_one_fault_is_refused_for_the_same_reason_by_an_independent_reading(value: bytes) -> None:
    assert Model().message(value) == verdict_on(value)


def test_whatever_is_taken_postgresql_stores_and_the_layers_load(pipeline: Pipeline) -> None:
    values: list[bytes] = []

    @FEW_HUNDRED
    @given(ANYTHING)
    def collect(value: bytes) -> None:
        values.append(value)

    collect()
    model = Model()
    model.messages(values)
    counts = pipeline.stage(values)
    assert "refused:refused_by_database" not in counts
    assert counts["messages"] == len(values) >= 200
    assert {("value", value) for _, value in pipeline.dead_letters()} == set(model.dead_letters())
    pipeline.load()
    assert pipeline.user_product_counters() == model.user_product_counters()
    assert dict(pipeline.rows("select object_id, payload ->> 'final_status' from stg.order_events")) == {
        order_id: state.status for order_id, state in model.orders().items()
    }
