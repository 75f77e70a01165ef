"""The sentences about the state of the warehouse that page, alerts and watcher share (`states.json`, which the page serves)."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

STATES_FILE = Path(__file__).resolve().parents[1] / "guest_tags" / "static" / "states.json"
LANGUAGES = ("en", "ru")
# As the page writes them (`duration` of texts.js): in the largest unit of which there are two.
UNITS = (
    (3_600, {"en": "hr", "ru": "ч"}),
    (60, {"en": "min", "ru": "мин"}),
    (1, {"en": "sec", "ru": "с"}),
)


@cache
def read_states() -> list[dict[str, Any]]:
    """Return the states in the order in which they are judged; one may stand there twice, the graver first."""
    states: list[dict[str, Any]] = json.loads(STATES_FILE.read_text(encoding="utf-8"))
    return states


def said(state: str, language: str, facts: Mapping[str, str]) -> str:
    """Return what the state says, without the sentences that want a fact which is not known."""
    sentences: list[str] = _named(state)[language]
    return " ".join(sentence.format_map(facts) for sentence in sentences if _asks_for(sentence) <= set(facts))


def age(span: timedelta, language: str) -> str:
    """Return a span of time in words."""
    seconds = span.total_seconds()
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 2 * size), UNITS[-1])
    return f"{seconds / size:.0f} {unit[language]}"


def moment(at: datetime) -> str:
    """Return a moment in words: in UTC, as Airflow's own logs."""
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _named(state: str) -> dict[str, Any]:
    for known in read_states():
        if known["state"] == state:
            return known
    raise KeyError(state)


def _asks_for(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}
