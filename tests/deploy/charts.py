"""Renders the charts as helm does, where helm and the official chart are there; skips with a clear word where they are not."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.sizes import CHART, VALUES
from tests.programs import program

PLACES = tuple(sorted(folder.name for folder in VALUES.iterdir() if folder.is_dir()))
KUBERNETES = "1.34.4"
# Some places want one.
BUCKET = (
    "--set=backup.s3.bucket=dumps",
    "--set=backup.s3.region=somewhere",
    "--set=backup.s3.endpoint=https://s3.invalid",
)


def render_warehouse(place: str, *options: str) -> list[dict[str, Any]]:
    """Return the objects of our chart in a place."""
    return _render(str(CHART), [VALUES / place / "guest-tags.yaml"], ("--set=image.tag=test", *BUCKET, *options))


def refused_warehouse(place: str, *options: str) -> str:
    """Return why helm does not render our chart in a place with these options alone."""
    files = (f"--values={VALUES / place / 'guest-tags.yaml'}", f"--kube-version={KUBERNETES}")
    done = _run_helm(("template", "release", str(CHART), *files, "--set=image.tag=test", *options))
    assert done.returncode
    return done.stderr


def render_airflow(place: str, *overlays: str) -> list[dict[str, Any]]:
    """Return the objects of Airflow's chart in a place, with overlays of helm-values/ such as metrics.yaml."""
    chart = os.environ.get("AIRFLOW_CHART")
    if not chart:
        pytest.skip("AIRFLOW_CHART does not name the official chart (a folder or .tgz)")
    return _render(
        chart, [VALUES / "base.yaml", VALUES / place / "airflow.yaml", *(VALUES / name for name in overlays)]
    )


def containers(objects: Sequence[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield (name for people, pod spec, container) for each container of each workload, init containers included."""
    for item in objects:
        if (spec := pod_spec(item)) is not None:
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                yield f"{item['kind']} {item['metadata']['name']}, {container['name']}", spec, container


def pod_spec(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the spec of the pods that an object makes, None where it makes none."""
    if item["kind"] == "Pod":
        return dict(item["spec"])
    if item["kind"] == "CronJob":
        item = item["spec"]["jobTemplate"]
    template = item.get("spec", {}).get("template") if "spec" in item else None
    return dict(template["spec"]) if template else None


def task_pod(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the template of the pods of tasks out of Airflow's configuration."""
    (config,) = [item for item in objects if item["kind"] == "ConfigMap" and "airflow.cfg" in item["data"]]
    pod: dict[str, Any] = yaml.safe_load(config["data"]["pod_template_file.yaml"])
    return pod


def _run_helm(line: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([program("helm"), *line], capture_output=True, text=True, check=False)


@cache
def _helm(line: tuple[str, ...]) -> str:
    done = _run_helm(line)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _render(chart: str, values: Sequence[Path], options: Sequence[str] = ()) -> list[dict[str, Any]]:
    files = [f"--values={file}" for file in values]
    text = _helm(("template", "release", chart, "--namespace=dwh", f"--kube-version={KUBERNETES}", *files, *options))
    return [item for item in yaml.safe_load_all(text) if item]
