"""What is installed is what was looked at: by hash, with a licence that is known, and listed for whoever asks."""

import json
import re
import subprocess

import pytest
import yaml

from deploy import REPO
from deploy.sizes import CHART, load
from deploy.third_party import LIST, LOCKS, OTHERS, locked, rows, text_of
from tests.deploy.charts import containers, render_airflow, render_warehouse, task_pod

DIGEST = f"sha256:{'0f' * 32}"


def test_the_list_of_third_parties_is_what_the_locks_bring():
    text = LIST.read_text()
    assert text == text_of(rows(text)), "make third-party"


def test_a_package_that_says_nothing_of_its_licence_is_not_passed_over():
    known = rows(LIST.read_text())
    with pytest.raises(ValueError, match="axe-playwright-python says nothing of its licence"):
        text_of({name: said for name, said in known.items() if name != "axe-playwright-python"})


def test_nothing_in_the_image_asks_for_our_own_source():
    listed = rows(LIST.read_text())
    bound = {
        name
        for name in locked("requirements.txt")
        if re.search(r"\bA?GPL|(?<!Library or Lesser )General", listed[name])
    }
    assert bound == {"text-unidecode"}, "that one may be taken by the Artistic License as well"


def test_each_image_and_each_group_of_jars_is_on_the_list():
    files = [REPO / "docker-compose.yaml", REPO / "deploy" / "compose.distributed.yaml", CHART / "values.yaml"]
    images = {found for file in files for found in re.findall(r"image: ([a-z/_]+):", file.read_text())}
    images |= set(re.findall(r"^FROM ([a-z/]+)", (REPO / "Dockerfile").read_text(), re.M))
    assert len(images) == 6
    groups = {
        group
        for pom in (REPO / "local").glob("*/pom.xml")
        for group in re.findall(r"<dependency>\s*<groupId>(\S+)</groupId>", pom.read_text())
    }
    assert (images - {"guest-tags-dwh"}) | groups <= OTHERS.keys()


def test_each_locked_package_has_its_hashes_and_the_bill_of_materials_names_both(tmp_path):
    bill = tmp_path / "sbom.json"
    subprocess.run(["make", "sbom", f"ARGS=--no-validate -o {bill}"], cwd=REPO, check=True, capture_output=True)
    parts = {part["name"]: part for part in json.loads(bill.read_text())["components"]}
    assert parts.keys() == set(locked("requirements.txt"))
    assert all(part["externalReferences"][0]["hashes"] for part in parts.values())


def test_the_scan_for_holes_asks_for_each_package_and_fails_where_it_can_ask_nobody():
    def scan(arguments: str) -> "subprocess.CompletedProcess[str]":
        nowhere = {"HTTPS_PROXY": "http://127.0.0.1:1", "PATH": "/usr/bin:/bin"}
        done = ["make", "audit", f"ARGS={arguments}"]
        return subprocess.run(done, cwd=REPO, env=nowhere, capture_output=True, text=True, check=False)

    told = scan("--dry-run").stderr
    (asked,) = re.findall(r"would have audited (\d+) packages", told)
    of_other_pythons = {"async-timeout", "pyyaml-ft", "colorama", "tzdata", "pywin32"}
    everything = {name for lock in LOCKS for name in locked(lock)}
    assert len(everything - of_other_pythons) <= int(asked) <= len(everything)
    assert scan("--timeout 1").returncode


def test_the_broker_of_the_tests_is_made_of_the_locked_jars():
    listed = (
        "cd .local/lib/kafka && sha256sum --check --strict --quiet ../../../local/kafka/jars.sha256 && ls *.jar | wc -l"
    )
    count = subprocess.run(listed, shell=True, cwd=REPO, check=True, capture_output=True, text=True).stdout
    assert int(count) == len((REPO / "local/kafka/jars.sha256").read_text().splitlines())
    assert "--strict-checksums" in (REPO / "local" / "install.sh").read_text()


def test_a_script_of_k3s_that_is_another_one_is_not_run(tmp_path):
    fetch, start = load(REPO / "deploy/infra/cloud-init.yaml")["runcmd"][-2:]
    (tmp_path / "curl").write_text(f"#!/bin/sh\nfor last; do :; done; echo 'touch {tmp_path}/ran' > \"$last\"\n")
    (tmp_path / "curl").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    def run(begin: str) -> int:
        steps = [step.replace("/root/", f"{tmp_path}/") for step in (fetch, begin)]
        return [subprocess.run(["sh", "-c", step], env=path, check=False, capture_output=True) for step in steps][
            -1
        ].returncode

    assert run(start)
    assert not (tmp_path / "ran").exists()
    of_this_one = subprocess.check_output(["sha256sum", tmp_path / "k3s.sh"], text=True).split()[0]
    assert run(re.sub(r"[0-9a-f]{64}", of_this_one, start)) == 0
    assert (tmp_path / "ran").exists()


def test_images_are_taken_by_digest_where_values_say_one():
    ours = render_warehouse("local", f"--set=image.digest={DIGEST}", f"--set=postgres.image=postgres:17@{DIGEST}")
    images = {part["name"]: part["image"] for _, _, part in containers(ours)}
    assert images["migrate"] == f"guest-tags-dwh@{DIGEST}"
    assert images["postgres"] == f"postgres:17@{DIGEST}"


def test_tasks_run_the_digest_that_airflow_runs(tmp_path):
    overlay = tmp_path / "digest.yaml"
    overlay.write_text(yaml.safe_dump({"images": {"airflow": {"digest": DIGEST}}}))
    objects = render_airflow("local", str(overlay))
    images = {part["image"] for _, _, part in containers([*objects, task_pod(objects)])}
    assert images == {f"guest-tags-dwh@{DIGEST}"}
