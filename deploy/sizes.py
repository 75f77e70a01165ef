"""What a deployment asks its machine for, read from the values of the two charts; needs no helm and no cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy import REPO

VALUES = REPO / "helm-values"
CHART = REPO / "deploy" / "charts" / "guest-tags"
# Kept free for the system, k3s with its own pods, and pulled images; our estimate.
SYSTEM_CPU = 0.3
SYSTEM_MEMORY_MIB = 1024
SYSTEM_DISK_GIB = 12
UNITS_MIB = {"Mi": 1.0, "Gi": 1024.0}


@dataclass(frozen=True)
class Asked:
    """One kind of pod: what it asks for, and how many there may be at a time."""

    name: str
    cpu: float
    request_mib: float
    limit_mib: float
    count: int = 1


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over each other as helm does: maps are merged, everything else is replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def load(*files: Path) -> dict[str, Any]:
    """Read values files, the later over the earlier."""
    return merged(*(yaml.safe_load(file.read_text()) or {} for file in files))


def warehouse_values(place: str) -> dict[str, Any]:
    """Return the values of deploy/charts/guest-tags in a place."""
    return load(CHART / "values.yaml", VALUES / place / "guest-tags.yaml")


def airflow_values(place: str, *overlays: str) -> dict[str, Any]:
    """Return our values of Airflow's chart in a place, with overlays of helm-values/ such as metrics.yaml."""
    return load(VALUES / "base.yaml", VALUES / place / "airflow.yaml", *(VALUES / name for name in overlays))


def asked(place: str, *, metrics: bool = False) -> list[Asked]:
    """Return all pods that may run at a time: services, task pods up to Airflow's parallelism, and the largest job.

    With `metrics` also the two exporters, which are off by default.
    """
    warehouse, airflow = warehouse_values(place), airflow_values(place, *(["metrics.yaml"] if metrics else []))
    services = [
        _asked(name, warehouse[name]["resources"])
        for name in ("postgres", "kafka", "valkey")
        if warehouse[name]["mode"] == "internal"
    ]
    components = [
        _asked(name, airflow[name]["resources"], airflow[name].get("replicas", 1))
        for name in ("scheduler", "apiServer", "dagProcessor")
    ]
    exporters = (
        [
            _asked("metrics", warehouse["metrics"]["resources"]),
            _asked("statsd", airflow["statsd"]["resources"]),
        ]
        if metrics
        else []
    )
    groomer = _asked("log groomer", airflow["scheduler"]["logGroomerSidecar"]["resources"])
    tasks = _asked("task pods", airflow["workers"]["kubernetes"]["resources"], airflow["config"]["core"]["parallelism"])
    jobs = [
        _asked("migrate", warehouse["migrations"]["resources"]),
        _asked("backup", warehouse["backup"]["resources"]),
        *(
            _asked(name, airflow[name]["resources"])
            for name in ("migrateDatabaseJob", "createUserJob", "databaseCleanup")
        ),
    ]
    return [*services, *components, *exporters, groomer, tasks, max(jobs, key=lambda job: job.limit_mib)]


def claims_gib(place: str) -> float:
    """Return the sum of the volumes."""
    values = warehouse_values(place)
    internal = [values[name] for name in ("postgres", "kafka", "valkey") if values[name]["mode"] == "internal"]
    internal += [values["backup"]["wal"]] if values["backup"]["wal"]["enabled"] else []
    return sum(mib(part["storage"]["size"]) / 1024 for part in [*internal, values["backup"], values["logs"]])


def misfits(place: str, *, vcpu: float, ram_gib: float, disk_gib: float, metrics: bool = False) -> list[str]:
    """Say what does not fit machines of this size in all."""
    pods = asked(place, metrics=metrics)
    cpu = sum(pod.cpu * pod.count for pod in pods) + SYSTEM_CPU
    memory_mib = sum(pod.limit_mib * pod.count for pod in pods) + SYSTEM_MEMORY_MIB
    disk = claims_gib(place) + SYSTEM_DISK_GIB
    needs = {"CPU": (cpu, vcpu), "GiB of memory": (memory_mib / 1024, ram_gib), "GiB of disk": (disk, disk_gib)}
    return [f"{place} asks for {need:.2f} {what} of {has}" for what, (need, has) in needs.items() if need > has]


def mib(quantity: str) -> float:
    """Turn Kubernetes's `512Mi` into MiB."""
    return float(quantity[:-2]) * UNITS_MIB[quantity[-2:]]


def cores(quantity: str | float) -> float:
    """Turn Kubernetes's `250m` into cores."""
    text = str(quantity)
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def _asked(name: str, resources: Mapping[str, Any], count: int = 1) -> Asked:
    requests, limits = resources["requests"], resources["limits"]
    return Asked(name, cores(requests["cpu"]), mib(requests["memory"]), mib(limits["memory"]), count)
