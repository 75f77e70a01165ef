"""The image, without Docker: what the Dockerfile copies of what `.dockerignore` lets through."""

import fnmatch
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import REPO
from deploy.sizes import CHART

DOCKERFILE = (REPO / "Dockerfile").read_text().replace("\\\n", "")
COPIED = [source for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for source in line.split()]
RULES = [line for line in (REPO / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def is_in_it(file: str) -> bool:
    """Tell it as Docker does: the last rule that fits the file, or a folder above it, says whether a COPY can find it."""
    above = [file, *map(str, Path(file).parents)]
    fitting = [rule for rule in RULES if any(fnmatch.fnmatchcase(name, rule.removeprefix("!")) for name in above)]
    return fitting[-1].startswith("!") and not set(above).isdisjoint(COPIED)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has of the repository, laid out as there."""
    image = tmp_path_factory.mktemp("image")
    tracked = subprocess.run(["git", "ls-files"], cwd=REPO, check=True, capture_output=True, text=True).stdout.split()
    for file in filter(is_in_it, tracked):
        (image / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / file, image / file)
    return image


def test_the_dockerfile_finds_all_that_it_copies(image):
    assert COPIED
    assert [source for source in COPIED if not (image / source).exists()] == []


@pytest.mark.parametrize(
    "program", [["-m", "deploy.backup"], ["-m", "deploy.wal"], ["-c", "import deploy.watch, deploy.apply_tag_rules"]]
)
def test_the_programs_of_the_deployment_find_all_that_they_need_in_the_image(image, program):
    subprocess.run([sys.executable, *program, "--help"], cwd=image, env={}, check=True, capture_output=True)


def test_each_program_that_chart_and_compose_start_is_in_the_image(image):
    files = [REPO / "docker-compose.yaml", REPO / "deploy/compose.distributed.yaml", *(CHART / "templates").iterdir()]
    text = "".join(file.read_text() for file in files)
    called = {*re.findall(r"\bdeploy/\w+\.(?:py|sh)", text)}
    called |= {name.replace(".", "/") + ".py" for name in re.findall(r"-m,? (deploy\.\w+)", text)}
    assert {f"deploy/{name}" for name in ("archive_wal.sh", "backup.py", "bootstrap.py", "watch.py")} <= called
    assert [file for file in called if not (image / file).exists()] == []
