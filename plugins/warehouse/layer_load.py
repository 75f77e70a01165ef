"""Loads a layer from its queue: each batch is claimed, loaded and committed in one transaction."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from warehouse.layers import Layer
from warehouse.session import NONE, Session

# A batch of at most so many rows of the queue is a small one: any minute's, no history's.
FEW_ROWS = 2_000

# What people want to know of a run, by the table that counts it: for one, for any other number.
TOLD = {
    "dds.batch_events": ("version loaded", "versions loaded"),
    "cdm.batch_guests": ("guest counted", "guests counted"),
    "cdm.batch_rules": ("rule applied to all guests", "rules applied to all guests"),
    "cdm.tag_events": ("tag given", "tags given"),
    "cdm.tag_events_revoked": ("tag taken back", "tags taken back"),
}


def load_layer(
    session: Session, layer: Layer, params: Mapping[str, Any] = NONE, *, max_batches: int | None = None
) -> dict[str, int]:
    """Load batch after batch until the queue is empty or `max_batches` are done; return the rows written, by table.

    A transaction runs what prepares the layer, then its claim, which takes a batch out of the queue; where that takes nothing the
    work is done, else its load follows and the transaction commits. Parameters of the files: `params` and `load_dt`, one a batch.
    A batch that fails is rolled back whole, its claim with it: nothing is lost and the error goes up.
    """
    totals: Counter[str] = Counter()
    batches = 0
    while max_batches is None or batches < max_batches:
        values = {**params, "load_dt": datetime.now(UTC)}
        with session.transaction():
            session.run(layer.prepare, values)
            claimed = session.run(layer.claim, values)
            if not any(claimed.values()):
                break
            if sum(claimed.values()) <= FEW_ROWS:
                session.run(layer.small)
            loaded = session.run(layer.load, values)
        batches += 1
        totals.update(claimed)
        totals.update(loaded)
    session.log.info("%s", in_words(batches, totals))
    return {"batches": batches, **totals}


def in_words(batches: int, totals: Mapping[str, int]) -> str:
    """Return what a run has changed, the last line of its log: `1 batch: 12 guests counted, 3 tags given, 1 tag taken back`."""
    if not batches:
        return "nothing waited"
    parts = [f"{totals[table]:,} {words[totals[table] != 1]}" for table, words in TOLD.items() if table in totals]
    return f"{batches:,} batch{'es' * (batches != 1)}: {', '.join(parts)}"
