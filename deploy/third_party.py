"""Write THIRD_PARTY.md: what the images and the local stack bring, and its licences. `python -m deploy.third_party`.

Licences of packages are what the packages say of themselves where they are installed; all other lines are written here.
"""

import re
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata

from deploy import REPO

LIST = REPO / "THIRD_PARTY.md"
LOCKS = {"requirements.txt": "In the image", "requirements-dev.txt": "For the local stack, tests and linters only"}
# What no lock of packages names.
OTHERS = {
    "apache/airflow": "image, base of ours, with Debian's packages (each with its licence in `/usr/share/doc`); Apache-2.0",
    "postgres": "image; PostgreSQL",
    "apache/kafka": "image; Apache-2.0",
    "valkey/valkey": "image; BSD-3-Clause",
    "citusdata/citus": "image, only with `warehouse.distributed`; AGPL-3.0",
    "burningalchemist/sql_exporter": "image, only with `metrics`; MIT",
    "prometheus/statsd-exporter": "image, only with `helm-values/metrics.yaml`; Apache-2.0",
    "age": "Debian's package in our image; BSD-3-Clause",
    "Airflow's Helm chart": "Apache-2.0",
    "k3s": "`deploy/infra/cloud-init.yaml`; Apache-2.0",
    "Chart.js": "in `plugins/guest_tags/static/vendor`, with its licence; MIT",
    "org.apache.kafka": "jars of the local stack, `local/kafka/jars.sha256`; Apache-2.0",
    "org.apache.logging.log4j": "beside them; Apache-2.0",
    "org.gaul": "S3Proxy, jars of the tests, `local/s3/jars.sha256`; Apache-2.0",
}


def locked(lock: str) -> list[str]:
    """Return the names of the packages of a lock."""
    return re.findall(r"^([a-z0-9._-]+)(?:\[.*\])?==", (REPO / lock).read_text(), re.M)


def licence(about: PackageMetadata) -> str:
    """Return what a package says of its licence: the expression, else the classifiers, else the first line of the old field."""

    def said(field: str) -> list[str]:
        return about.get_all(field) or []

    kinds = [line.rpartition(" :: ")[2] for line in said("Classifier") if line.startswith("License ::")]
    return "; ".join(
        said("License-Expression") or sorted(kinds) or [line.partition("\n")[0] for line in said("License")]
    )


def rows(text: str) -> dict[str, str]:
    """Return the lines of the list: name -> licence."""
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.M))


def text_of(known: dict[str, str]) -> str:
    """Return the list; `known` tells of packages that are not installed here, because they are of another Python.

    Raises ValueError where nobody tells.
    """
    parts = [
        "# Third parties\n\nWritten by `make third-party`; versions and hashes are in the locks.\n",
        "## Beside the packages\n\n| what | where it is used; licence |\n|---|---|",
        *(f"| {name} | {said} |" for name, said in OTHERS.items()),
    ]
    for lock, title in LOCKS.items():
        parts.append(f"\n## {title}: `{lock}`\n\n| package | licence |\n|---|---|")
        for name in locked(lock):
            try:
                said = licence(metadata(name))
            except PackageNotFoundError:
                said = ""
            if not (said := said or known.get(name, "")):
                raise ValueError(
                    f"{name} says nothing of its licence, or is not installed here: write its line into {LIST.name}"
                )
            parts.append(f"| {name} | {said} |")
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the list."""
    LIST.write_text(text_of(rows(LIST.read_text()) if LIST.exists() else {}))


if __name__ == "__main__":
    main()
