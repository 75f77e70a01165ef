"""Laws of the house: which room may import which, and that the map in README.md knows all of them."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
# From the ground up. A room knows those below its floor and itself, not its neighbours.
FLOORS = (
    ("plugins/warehouse", "source", "witness"),
    ("plugins/operators", "plugins/guest_tags", "migrations", "datalens"),
    ("dags", "local", "harness"),
    ("deploy", "bench", "docs/pictures"),
    ("tests",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: str) -> str | None:
    """Return the room in which a file lies, or a module that is written as a path."""
    return next((room for room in FLOOR if f"{path}/".replace(".py/", "/").startswith((f"{room}/", f"{room}_"))), None)


def room_of_module(module: str) -> str | None:
    """Return the room of a module, None where it is none of ours. What lies in plugins/ is imported without that word."""
    path = module.replace(".", "/")
    return room_of(path) or room_of(f"plugins/{path}")


def imports_of(path: str) -> Iterator[tuple[str, str]]:
    """Yield (file, module) for each import of a file, wherever in it."""
    for node in ast.walk(ast.parse((REPO / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((path, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((path, f"{node.module}.{name.name}") for name in node.names)


def files(pattern: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=REPO, capture_output=True, text=True, check=True)
    return listed.stdout.split()


def python_files() -> list[str]:
    return files("*.py")


def forbidden(imports: Iterable[tuple[str, str]]) -> list[str]:
    """Return the imports that run to a room above or beside that of the file."""
    found = []
    for path, module in imports:
        here, there = room_of(path), room_of_module(module)
        if here is not None and there is not None and here != there and FLOOR[there] >= FLOOR[here]:
            found.append(f"{path} imports {module}: {there} does not stand below {here}")
    return found


def test_no_room_imports_one_above_or_beside_it() -> None:
    imports = [found for path in python_files() for found in imports_of(path)]
    assert sum(room_of_module(module) is not None for _, module in imports) > 300
    assert forbidden(imports) == []


def test_each_file_of_python_lies_in_a_room() -> None:
    assert [path for path in python_files() if room_of(path) is None] == []


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("bench/world.py", "tests.waiting"),
        ("harness/runs.py", "tests"),
        ("harness/runs.py", "local.stack"),
        ("local/demo.py", "bench.world"),
        ("source/live.py", "local.state"),
        ("witness/model.py", "warehouse.fields"),
        ("witness/recount.py", "source.seed"),
        ("plugins/warehouse/drain.py", "operators.base"),
        ("plugins/operators/base.py", "guest_tags.reader"),
        ("plugins/guest_tags_page.py", "operators.base"),
        ("dags/tag_rules.py", "harness.runs"),
        ("deploy/probe.py", "bench.world"),
    ],
)
def test_an_import_that_runs_up_or_sideways_is_found(path: str, module: str) -> None:
    assert len(forbidden([(path, module)])) == 1


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("tests/conftest.py", "local.stack.Stack"),
        ("bench/world.py", "harness.runs.run"),
        ("local/demo.py", "witness.recount.compare"),
        ("plugins/guest_tags_page.py", "guest_tags.page.app"),
        ("plugins/operators/base.py", "operators.alerts.leave_error"),
        ("dags/tag_rules.py", "airflow.sdk.DAG"),
        ("witness/recount.py", "localtime"),
    ],
)
def test_an_import_that_runs_down_or_out_of_the_house_is_fine(path: str, module: str) -> None:
    assert forbidden([(path, module)]) == []


# --- the map ---------------------------------------------------------------------------------------------------------


def named_rooms() -> set[str]:
    """Return the folders and files in the second column of the table "Where things live"."""
    table = (REPO / "README.md").read_text(encoding="utf-8").split("\n## Where things live\n")[1].split("\n## ")[0]
    cells = [line.split("|")[2] for line in table.splitlines() if line.startswith("|")]
    return {path.rstrip("/") for cell in cells for path in re.findall(r"`([^`]+)`", cell) if (REPO / path).exists()}


def homeless(paths: Iterable[str], rooms: set[str]) -> list[str]:
    """Return the files in folders that lie in none of the rooms."""
    inside = [path for path in paths if "/" in path and not any(part.startswith(".") for part in path.split("/"))]
    return [path for path in inside if not any(path == room or path.startswith(f"{room}/") for room in rooms)]


def test_each_file_has_a_room_that_the_map_names() -> None:
    assert homeless(files("*"), named_rooms()) == []


def test_a_room_that_the_map_forgets_is_found() -> None:
    rooms = named_rooms()
    outer = {room for room in rooms if not any(room.startswith(f"{other}/") for other in rooms)}
    folders = {room for room in outer if (REPO / room).is_dir()}
    assert len(folders) > 15
    for room in folders:
        lost = homeless(files("*"), rooms - {room})
        assert lost
        assert all(path.startswith(f"{room}/") for path in lost)
