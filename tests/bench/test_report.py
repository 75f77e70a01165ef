"""A figure stands in one place: bench/README.md, which shows what was measured; other pages link to it."""

import json
import re
import subprocess
from pathlib import Path

from bench.report import MARK, picture, table

REPO = Path(__file__).resolve().parents[2]
BENCH = REPO / "bench"
# Of three digits and more, zeros at the end aside: others are also limits, sizes, numbers of things.
FIGURE = re.compile(r"(?<![\d.,])\d[\d.,]*\d ?(?:s|ms|µs|KiB|MiB|MB)\b")


def figures(text: str) -> set[str]:
    """Return the figures of a text, each with its unit."""
    found = {figure.replace(" ", "") for figure in FIGURE.findall(text)}
    return {figure for figure in found if len(re.sub(r"\D", "", figure).rstrip("0")) >= 3}


def test_the_page_shows_the_results_that_were_kept() -> None:
    results = json.loads((BENCH / "results.json").read_text())
    assert (BENCH / "README.md").read_text().split(MARK)[1].strip() == table(results).strip()
    assert (BENCH / "results.svg").read_text() == picture(results)


def test_no_other_page_repeats_a_measured_figure() -> None:
    measured = figures((BENCH / "README.md").read_text())
    assert len(measured) > 50
    pages = subprocess.run(["git", "ls-files", "*.md"], cwd=REPO, capture_output=True, text=True, check=True)
    repeated = {
        page: found
        for page in pages.stdout.split()
        if page != "bench/README.md" and (found := figures((REPO / page).read_text()) & measured)
    }
    assert repeated == {}, "say it in bench/README.md and link to it"
