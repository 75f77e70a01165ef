"""From results to what people read: a table in Markdown, a picture, a file for machines."""

import json
from pathlib import Path
from typing import Any

from bench.world import STAGES

TITLE = "# Benchmarks\n"
LIMITS = {"backfill_50k_over_floor": 5.0, "minute_5m_over_50k": 1.3, "drain_peak_mib": 512.0, "slowest_view_ms": 300.0}
MARK = "<!-- measured: written by `make bench` -->"
COLOURS = {"drain": "#4c78a8", "reference": "#72b7b2", "dds": "#f58518", "cdm": "#54a24b"}


def cpu_model() -> str:
    """Return the name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def headline(results: dict[str, Any]) -> dict[str, float]:
    """Return the figures that the design sets limits to, as far as they were measured."""
    figures = {"backfill_50k_over_floor": results["backfill"][0]["over_floor"]}
    minutes = {entry["history"]: entry["5"]["seconds"]["total"] for entry in results["minutes"]}
    first, last = min(minutes), max(minutes)
    if last > first:
        figures[f"minute_{_short(last)}_over_{_short(first)}"] = minutes[last] / minutes[first]
    figures["slowest_view_ms"] = max(max(entry["ms"].values()) for entry in results["views"])
    if results["memory"]:
        figures["drain_peak_mib"] = max(entry["peak_mib"] for entry in results["memory"])
        figures["drain_peak_growth"] = results["memory"][-1]["peak_mib"] / results["memory"][0]["peak_mib"]
    return figures


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    machine = results["machine"]
    dates = ", ".join(sorted(set(results["dates"].values())))
    lines = [
        f"Measured {dates} on {machine['cpus']} cores ({machine['cpu']}), PostgreSQL {machine['postgresql']}.",
        "Seconds are of this machine and that hour; ratios travel.",
        "",
        "| figure | measured | limit |",
        "|---|---:|---:|",
    ]
    for name, limit in LIMITS.items():
        if name in results:
            lines.append(f"| {name} | {results[name]:.2f} | {limit:g} |")
    lines += ["", "## A history, from Kafka to tags", "", "![stages](results.svg)", ""]
    lines += [
        "| orders | messages | floor | " + " | ".join(STAGES) + " | total | total ÷ floor (each run) | database | WAL |"
    ]
    lines += ["|---:|---:|---:|" + "---:|" * len(STAGES) + "---:|---:|---:|---:|"]
    for entry in results["backfill"]:
        seconds = entry["seconds"]
        stages = " | ".join(f"{seconds[stage]:.2f} s" for stage in STAGES)
        runs = ", ".join(f"{ratio:.2f}" for ratio in entry["runs"])
        lines.append(
            f"| {entry['orders']:,} | {entry['messages']:,} | {entry['floor_s']:.2f} s | {stages} | {seconds['total']:.2f} s "
            f"| **{entry['over_floor']:.2f}** ({runs}) | {entry['database_bytes_per_order'] / 1024:.1f} KiB an order "
            f"| {entry['wal_bytes_per_order'] / 1024:.1f} KiB an order |"
        )
    lines += ["", "The floor: the same messages consumed, hashed and COPYed into one plain table with one index.", ""]
    lines += ["## Other ways from Kafka into one plain table", "", "| way | seconds | ÷ floor |", "|---|---:|---:|"]
    for name, way in results["alternatives"]["ways"].items():
        lines.append(f"| {name} | {way['seconds']:.1f} | {way['over_floor']:.1f} |")
    lines += ["", "They do the floor's work only: nothing is judged, no version is compared, nothing is tagged.", ""]
    lines += ["## A minute's run, as the history grows", ""]
    lines += [
        "| history | new orders | " + " | ".join(STAGES) + " | total | pages looked at | rows read | rows written |"
    ]
    lines += ["|---:|---:|" + "---:|" * len(STAGES) + "---:|---:|---:|---:|"]
    for entry in results["minutes"]:
        for orders in ("0", "5", "500"):
            seconds = entry[orders]["seconds"]
            stages = " | ".join(f"{seconds[stage] * 1000:.0f} ms" for stage in STAGES)
            lines.append(
                f"| {entry['history']:,} | {orders} | {stages} | {seconds['total'] * 1000:.0f} ms "
                f"| {entry[orders]['buffers']:,.0f} | {entry[orders]['rows_read']:,.0f} | {entry[orders]['rows_written']:,.0f} |"
            )
    lines += ["", "Pages of 8 kB, the catalogue's included; rows of the tables of the three layers.", ""]
    lines += (
        _overhead(results["overhead"])
        + _chores(results["chores"])
        + _rules(results.get("rules", []))
        + _views(results["views"])
    )
    lines += ["## Memory of the drain", "", "| messages | before | peak |", "|---:|---:|---:|"]
    for entry in results["memory"]:
        lines.append(f"| {entry['messages']:,} | {entry['before_mib']:.0f} MiB | {entry['peak_mib']:.0f} MiB |")
    lines += ["", "In chunks of 10,000 messages. Before: Python with Airflow imported.", ""]
    return "\n".join(lines)


def _overhead(overhead: dict[str, Any]) -> list[str]:
    starts, works = overhead["starts"], overhead["works"]
    said = (
        f"LocalExecutor, {overhead['runs']} runs with {overhead['orders']} orders each, medians. From the minute's boundary to "
        f"the tags: {overhead['whole']:.2f} s. The first task waits from the boundary, the others from the end of the one before;"
        " the start of an interpreter and its imports are in these figures, what the task itself needs is in the table above."
    )
    return [
        "## Airflow's own share of a minute's run",
        "",
        "| task | waits for its start | works |",
        "|---|---:|---:|",
        *(f"| {stage} | {starts[stage]:.2f} s | {works[stage]:.2f} s |" for stage in STAGES),
        "",
        said,
        "",
    ]


def _chores(chores: dict[str, Any]) -> list[str]:
    lines = ["## Now and then, at 50,000 orders", "", "| what | seconds |", "|---|---:|"]
    lines += [f"| {name} | {seconds:.2f} |" for name, seconds in chores["seconds"].items()]
    lines.append(
        f"\nA minute's run with 5 orders under 501 rules takes {chores['rules_501_over_1']:.2f} × that under one.\n"
    )
    return lines


def _rules(entries: list[dict[str, Any]]) -> list[str]:
    if not entries:
        return []
    ratios = (
        f"| {name} | " + " | ".join(f"{entry['quiet_500_over_12'][name]:.2f} ×" for entry in entries) + " |"
        for name in entries[0]["quiet_500_over_12"]
    )
    seconds = (
        f"| {name} | " + " | ".join(f"{entry['seconds'][name]:.2f} s" for entry in entries) + " |"
        for name in entries[0]["seconds"]
    )
    return [
        "## Tag rules",
        "",
        "| what | " + " | ".join(f"{entry['history']:,} orders" for entry in entries) + " |",
        "|---|" + "---:|" * len(entries),
        *(f"| a minute's run with {line[2:]}" for line in ratios),
        *seconds,
        "",
        "A minute's run: under 500 rules, half of them with a window, over that under 12 plain ones. The longer history is"
        " as many weeks of other guests. Of the guests who have an order that is too old "
        + ", ".join(f"{entry['revoked']:,}" for entry in entries)
        + " tags were taken.",
        "",
    ]


def _views(entries: list[dict[str, Any]]) -> list[str]:
    histories = " | ".join(f"{entry['history']:,} orders" for entry in entries)
    rows = (
        f"| {name} | " + " | ".join(f"{entry['ms'][name]:.1f} ms" for entry in entries) + " |"
        for name in entries[0]["ms"]
    )
    return ["## Views", "", f"| view | {histories} |", "|---|" + "---:|" * len(entries), *rows, ""]


def picture(results: dict[str, Any]) -> str:
    """Return an SVG: the stages of a history as one bar, beside the floor."""
    entry = results["backfill"][0]
    scale = 640 / entry["seconds"]["total"]
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="760" height="120" font-family="sans-serif" font-size="12">'
    ]
    parts.append(f'<rect x="80" y="10" width="{entry["floor_s"] * scale:.0f}" height="30" fill="#bab0ac"/>')
    parts.append(f'<text x="10" y="30">floor</text><text x="86" y="30">{entry["floor_s"]:.1f} s</text>')
    parts.append('<text x="10" y="75">history</text>')
    left = 80.0
    for stage in STAGES:
        width = entry["seconds"][stage] * scale
        parts.append(f'<rect x="{left:.0f}" y="55" width="{width:.0f}" height="30" fill="{COLOURS[stage]}"/>')
        if width > 30:
            parts.append(f'<text x="{left + 4:.0f}" y="75" fill="white">{stage}</text>')
            parts.append(f'<text x="{left + 4:.0f}" y="102">{entry["seconds"][stage]:.1f} s</text>')
        left += width
    return "\n".join([*parts, "</svg>", ""])


def write(results: dict[str, Any], folder: Path) -> None:
    """Write the results; what the README says below its mark is kept."""
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (folder / "results.svg").write_text(picture(results))
    readme = folder / "README.md"
    said = readme.read_text().split(MARK)[0] if readme.exists() else TITLE
    readme.write_text(f"{said.rstrip()}\n\n{MARK}\n\n{table(results)}")


def _short(orders: int) -> str:
    return f"{orders // 1_000_000}m" if orders >= 1_000_000 else f"{orders // 1000}k"
