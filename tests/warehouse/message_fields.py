"""The fields of the sources' messages, as paths such as `payload.order_items[].id`: found, never listed a second time."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from warehouse import order_event, reference
from warehouse.rejection import RejectedError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "messages.md"


class Watched(dict[str, Any]):
    """An object of JSON that notes which of its fields are asked for, and those of the objects in it theirs."""

    def __init__(self, document: dict[str, Any], seen: set[str], path: str = "") -> None:
        super().__init__({name: self._watch(value, seen, f"{path}{name}") for name, value in document.items()})
        self._seen, self._path = seen, path

    def _watch(self, value: Any, seen: set[str], path: str) -> Any:
        if isinstance(value, dict):
            return Watched(value, seen, f"{path}.")
        return [self._watch(entry, seen, f"{path}[]") for entry in value] if isinstance(value, list) else value

    def get(self, name: str, default: Any = None) -> Any:
        self._seen.add(f"{self._path}{name}")
        return super().get(name, default)


def read(parse: Callable[..., Any], *arguments: Any) -> set[str]:
    """Return the fields that the parser of orders or of documents reads of a message."""
    seen: set[str] = set()
    with (
        mock.patch.object(order_event, "parse_object", lambda value: Watched(json.loads(value), seen)),
        mock.patch.object(reference, "parse_object", lambda value: Watched(json.loads(value), seen)),
    ):
        assert parse(*arguments) is not None
    return without_containers(seen)


def without_containers(paths: set[str]) -> set[str]:
    """Return the paths that hold no other of them."""
    return {path for path in paths if not any(other.startswith((f"{path}.", f"{path}[")) for other in paths)}


def held(node: Any, path: str = "") -> Iterator[str]:
    """Yield the fields of a message that hold neither an object nor a list."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from held(child, f"{path}.{name}" if path else name)
    elif isinstance(node, list):
        for child in node:
            yield from held(child, f"{path}[]")
    else:
        yield path


def documented(heading: str, page: str | None = None) -> set[str]:
    """Return the fields in the first column of the table under a heading of docs/messages.md."""
    text = PAGE.read_text(encoding="utf-8") if page is None else page
    chapter = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in chapter.splitlines() if line.startswith("|")]
    return without_containers({path for cell in cells for path in re.findall(r"`([^`]+)`", cell)})


def blamed(cases: Iterable[bytes | None]) -> set[str]:
    """Return the fields that refusals of these messages name."""
    fields = set()
    for value in cases:
        try:
            order_event.parse_order_event(value)
        except RejectedError as error:
            fields.add(error.detail.split(" ")[0])
    return fields


def places(fields: Iterable[str]) -> list[tuple[str | int, ...]]:
    """Return where in a message these fields are, and the objects and lists that hold them, as steps from its top."""
    found: set[tuple[str | int, ...]] = set()
    for path in fields:
        steps = tuple(0 if step == "[]" else step for step in re.findall(r"\[\]|[^.\[\]]+", path))
        found |= {steps[:length] for length in range(1, len(steps) + 1)}
    return sorted(found, key=str)
