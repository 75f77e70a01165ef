"""Properties: whatever arrives, however it is cut, repeated, mixed and interrupted, the warehouse equals the model.

A failing stream shrinks to a few steps, printed as they are written here. Longer campaigns: `make soak`, or
`STREAMS_PROFILE=long STREAMS_EXAMPLES=100000 pytest tests/warehouse/test_streams.py`.
"""

import os
from datetime import UTC, datetime

import psycopg
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.streams import (
    DDS_LOADS,
    DOCUMENTS,
    ORDERS,
    PEOPLE,
    STREAMS_PROFILE,
    USERS,
    Broom,
    Erase,
    Export,
    LoadCdm,
    Order,
    Refer,
    Return,
    Rule,
    Run,
    Settle,
    Stage,
    Step,
    Tick,
    broken_laws,
    streams,
)

# Later than the ticks of a test move the clock to; by a window of a day what was closed in the first minutes counts no longer.
END = datetime(2026, 1, 2, 12, 2, tzinfo=UTC)


@STREAMS_PROFILE
@given(stream=streams())
@example(stream=[*PEOPLE, Erase("bob")])  # who is at a channel is removed by the export at the end
def test_after_any_stream_the_warehouse_equals_the_model(broom: Broom, stream: list[Step]) -> None:
    broom.sweep()
    Run(broom.pipeline).play([*stream, Export()])


@STREAMS_PROFILE
@given(stream=streams(length=8))
@example(stream=[Erase(user="bob"), Stage(orders=(Order(user="bob"),)), Return(user="bob")])
def test_a_replay_of_any_stream_changes_no_row_and_burns_no_id(broom: Broom, stream: list[Step]) -> None:
    broom.sweep()
    run = Run(broom.pipeline)
    run.play(stream)
    run.replay()


@STREAMS_PROFILE
@given(data=st.data())
def test_two_cuts_and_orders_of_one_stream_give_the_same_state(broom: Broom, data: st.DataObject) -> None:
    sent = data.draw(st.lists(st.one_of(ORDERS, ORDERS, DOCUMENTS), min_size=1, max_size=10, unique=True), "sent")
    erased = data.draw(st.lists(USERS.map(Erase), max_size=1), "erased")
    states = []
    for label in ("first", "second"):
        steps: list[Step] = [
            Rule("fan", "Pizza", 0),
            Rule("lover", "Tea", 1),
            Rule("lately", "Pizza", 0, window=1),
            Rule("loyal", "Pizza", 1, window=2, leaves=0),
        ]
        for thing in data.draw(st.permutations([*sent, *erased]), label):
            if isinstance(thing, Erase):
                steps.append(thing)
            else:
                steps.append(Refer((thing,)) if hasattr(thing, "document") else Stage((thing,)))
            steps += data.draw(st.lists(st.one_of(DDS_LOADS, st.just(LoadCdm()), st.just(Tick())), max_size=2), "loads")
        broom.sweep()
        run = Run(broom.pipeline)
        run.play(steps)
        run.as_of = END
        states.append(run.settle())
    assert states[0] == states[1]


@settings(STREAMS_PROFILE, max_examples=STREAMS_PROFILE.max_examples // 4)
@given(stream=streams(length=8))
def test_at_any_moment_of_a_stream_what_waits_breaks_no_law(broom: Broom, stream: list[Step]) -> None:
    broom.sweep()
    run = Run(broom.pipeline)
    with psycopg.connect(os.environ["DWH_ETL_URL"]) as connection:
        for step in [*stream, Settle()]:
            run.take(step)
            assert broken_laws(connection) == {}
