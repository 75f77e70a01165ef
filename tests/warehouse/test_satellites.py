"""Laws of completeness: each satellite of the vault is known to the model and varied by the random streams."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from tests.streams import OF_HUBS, OF_LINKS, SCHEMA, STREAMS_PROFILE, Refer, Stage, Step, satellites, streams
from witness.model import Model

Rows = dict[Any, dict[str, Any]]


def unknown(vault: Mapping[str, set[str]], known: Mapping[str, set[str]]) -> set[str]:
    """Return the satellites, and their columns, that are not known, and the satellites known that the vault has not."""
    found = set(vault.keys() ^ known.keys())
    for table in vault.keys() & known.keys():
        found |= {f"{table}.{column}" for column in vault[table] - known[table]}
    return found


def unmoved(histories: Iterable[Iterable[Mapping[str, Rows]]], known: Mapping[str, set[str]]) -> set[str]:
    """Return the columns of satellites that had one value throughout, in any history: a load that loses them goes unseen."""
    moved = set()
    for history in histories:
        values: dict[tuple[str, Any, str], set[Any]] = defaultdict(set)
        for state in history:
            for table, rows in state.items():
                for key, row in rows.items():
                    for column, value in row.items():
                        values[table, key, column].add(value)
        moved |= {f"{table}.{column}" for (table, _, column), seen in values.items() if len(seen) > 1}
    return {f"{table}.{column}" for table, columns in known.items() for column in columns} - moved


def columns(histories: Iterable[Iterable[Mapping[str, Rows]]]) -> dict[str, set[str]]:
    """Return the columns of each satellite that the model speaks of."""
    found: dict[str, set[str]] = {name: set() for name in Model().satellites()}
    for history in histories:
        for state in history:
            for table, rows in state.items():
                found[table] |= {column for row in rows.values() for column in row}
    return found


@pytest.fixture(scope="module")
def histories() -> list[list[dict[str, Rows]]]:
    """What the model says after each step of random streams."""
    told = []

    @settings(STREAMS_PROFILE, max_examples=300, derandomize=True, database=None)
    @given(stream=streams())
    def tell(stream: list[Step]) -> None:
        model, states = Model(), []
        for step in stream:
            if isinstance(step, Stage):
                model.messages([order.value() for order in step.orders])
            elif isinstance(step, Refer):
                for document in step.documents:
                    model.document(*document.document())
            states.append(model.satellites())
        told.append(states)

    tell()
    return told


VAULT = {name: set(about) for name, about in satellites(SCHEMA).items()}


def test_the_model_knows_each_satellite_and_what_it_is_about(histories: list[list[dict[str, Rows]]]) -> None:
    assert len(VAULT) >= 8
    assert unknown(VAULT, columns(histories)) == set()


def test_each_satellite_is_compared_with_the_model_after_any_stream() -> None:
    assert OF_HUBS.keys() | OF_LINKS.keys() == VAULT.keys() == Model().satellites().keys()


def test_the_streams_move_every_column_of_every_satellite(histories: list[list[dict[str, Rows]]]) -> None:
    assert unmoved(histories, columns(histories)) == set()


@pytest.mark.parametrize("satellite", VAULT)
def test_a_satellite_that_the_model_does_not_know_is_named(satellite: str) -> None:
    known = {name: set(about) for name, about in VAULT.items() if name != satellite}
    assert unknown(VAULT, known) == {satellite}


def test_a_column_that_the_model_does_not_know_is_named(histories: list[list[dict[str, Rows]]]) -> None:
    wider = SCHEMA.replace("    userlogin character", "    phone text,\n    userlogin character")
    assert unknown({name: set(about) for name, about in satellites(wider).items()}, columns(histories)) == {
        "s_user_names.phone"
    }


def test_a_column_that_no_stream_moves_is_named(histories: list[list[dict[str, Rows]]]) -> None:
    still = [
        [
            state | {"s_order_cost": {key: row | {"payment": 1} for key, row in state["s_order_cost"].items()}}
            for state in told
        ]
        for told in histories
    ]
    assert unmoved(still, columns(still)) == {"s_order_cost.payment"}
