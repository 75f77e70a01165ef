"""What holds for every test: a skip gives a reason of the list, or fails CI, and no other machine is talked to."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

REPO = Path(__file__).resolve().parents[1]
# What skips -> of a reason {}.
SKIPS = {
    "test": 'import pytest\ndef test_it(): pytest.skip("{}")\n',
    "mark": 'import pytest\n@pytest.mark.skip(reason="{}")\ndef test_it(): pass\n',
    "file": 'import pytest\npytest.skip("{}", allow_module_level=True)\n',
}


def outcomes(folder: Path, ci: dict[str, str]) -> dict[str, str]:
    """Run tests that are skipped, for a reason of the list or for another; return how each file ended."""
    for name, text in SKIPS.items():
        (folder / f"test_{name}_listed.py").write_text(text.format("helm is not on PATH, and HELM does not name it"))
        (folder / f"test_{name}_other.py").write_text(text.format("I do not feel like it"))
    env = {name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(REPO)} | ci
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "tests.skips", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return {
        name: how for how, name in re.findall(r"^(FAILED|ERROR|SKIPPED)[ \[\]0-9]* test_(\w+)\.py", done.stdout, re.M)
    }


def test_in_ci_a_skip_fails_unless_its_reason_is_on_the_list(tmp_path: Path) -> None:
    assert outcomes(tmp_path, {"CI": "true"}) == {
        "test_listed": "SKIPPED",
        "test_other": "FAILED",
        "mark_listed": "SKIPPED",
        "mark_other": "ERROR",
        "file_listed": "SKIPPED",
        "file_other": "ERROR",
    }
    assert set(outcomes(tmp_path, {}).values()) == {"SKIPPED"}


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_test_talks_to_another_machine() -> None:
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
