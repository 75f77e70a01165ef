"""Loads a layer from its queue: each batch is claimed, loaded and committed in one transaction."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from warehouse.layers import Files, FirstLoad, Layer
from warehouse.session import NONE, Session

# The range of keys that a batch takes where it is no part.
WHOLE_RANGE = {"from_key": None, "to_key": None}

# A batch of at most so many rows of the queue is a small one: any minute's, no history's.
FEW_ROWS = 2_000

# What people want to know of a run, by the table that counts it: for one, for any other number.
TOLD = {
    "dds.batch_events": ("version loaded", "versions loaded"),
    "cdm.batch_guests": ("guest counted", "guests counted"),
    "cdm.batch_rules": ("rule applied to all guests", "rules applied to all guests"),
    "cdm.batch_waiting": ("rule left to the next run", "rules left to the next run"),
    "cdm.tag_events": ("tag given", "tags given"),
    "cdm.tag_events_revoked": ("tag taken back", "tags taken back"),
}

# Said only where there is something to say.
SELDOM = {"cdm.batch_waiting"}


def load_layer(
    session: Session, layer: Layer, params: Mapping[str, Any] = NONE, *, max_batches: int | None = None
) -> dict[str, int]:
    """Load batch after batch until the queue is empty or `max_batches` are done; return the rows written, by table.

    A transaction runs what prepares the layer, then its claim, which takes a batch out of the queue; where that takes nothing the
    work is done, else its load follows and the transaction commits. A first load is one transaction, too, whatever its parts.
    Parameters of the files: `params`, `as_of` and `max_rule_guests` where `params` has none, and `load_dt`, one a transaction.

    A batch that fails is rolled back whole, its claim with it: nothing is lost and the error goes up.
    """
    totals: Counter[str] = Counter()
    batches = 0
    while max_batches is None or batches < max_batches:
        values = {"as_of": None, "max_rule_guests": None, **params, "load_dt": datetime.now(UTC)}
        with session.transaction():
            session.run(layer.prepare, values)
            parts = session.look(layer.first.parts, values) if layer.first else []
            if layer.first and parts:
                written = _first_load(session, layer, layer.first, parts, values)
            else:
                written = _batch(session, layer, layer.settle, {**values, **WHOLE_RANGE})
            if not written:
                break
        batches += 1
        totals.update(written)
    session.log.info("%s", in_words(batches, totals))
    return {"batches": batches, **totals}


def _batch(session: Session, layer: Layer, settle: Files, values: Mapping[str, Any]) -> Counter[str]:
    """Claim a batch in the transaction that is open and load it; return the rows written, nothing where nothing waits."""
    claimed = session.run(layer.claim, values)
    if not any(claimed.values()):
        return Counter()
    if sum(claimed.values()) <= FEW_ROWS:
        session.run(layer.small)
    return Counter(claimed | session.run((*layer.load, *settle), values))


def _first_load(
    session: Session, layer: Layer, first: FirstLoad, parts: list[tuple[Any, ...]], values: Mapping[str, Any]
) -> Counter[str]:
    """Fill an empty layer in the transaction that is open, part by part; return the rows written."""
    written: Counter[str] = Counter()
    for from_key, to_key, max_events in parts:
        part = {"from_key": from_key, "to_key": to_key, "max_events": max_events}
        written.update(_batch(session, layer, (), {**values, **part}))
        session.run(first.end_part)
    written.update(session.run(first.end, values))
    return written


def in_words(batches: int, totals: Mapping[str, int]) -> str:
    """Return what a run has changed, the last line of its log: `1 batch: 12 guests counted, 3 tags given, 1 tag taken back`."""
    if not batches:
        return "nothing waited"
    told = [table for table in TOLD if table in totals and (totals[table] or table not in SELDOM)]
    parts = [f"{totals[table]:,} {TOLD[table][totals[table] != 1]}" for table in told]
    return f"{batches:,} batch{'es' * (batches != 1)}: {', '.join(parts)}"
