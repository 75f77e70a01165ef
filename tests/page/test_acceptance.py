"""What the page must show, by its numbers: each has a test whose first line names it."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
WANTED = {*range(1, 25)}


def named(path: Path) -> set[int]:
    """Return the numbers that the tests of a file name."""
    functions = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    ]
    told = [ast.get_docstring(function) or "" for function in functions if function.name.startswith("test_")]
    lines = [re.match(r"Acceptance ((?:\d+(?:, | and )?)+)", text) for text in told]
    return {int(number) for line in lines if line for number in re.findall(r"\d+", line[1])}


def test_each_number_has_its_test() -> None:
    assert {
        number for folder in ("e2e", "page") for path in (TESTS / folder).glob("*.py") for number in named(path)
    } == WANTED
