"""A skip without a reason on the list fails CI: pytest is run on a file of its own, with the hooks of tests/skips.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
TESTS = {
    "a test": 'import pytest\ndef test_it(): pytest.skip("{}")\n',
    "a mark": 'import pytest\n@pytest.mark.skip(reason="{}")\ndef test_it(): pass\n',
    "a file": 'import pytest\npytest.skip("{}", allow_module_level=True)\n',
}


def fails(folder: Path, test: str, *, ci: bool = True) -> bool:
    """Run pytest on this one file, and tell whether it failed."""
    (folder / "test_it.py").write_text(test)
    env = {name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "pytest", "-p", "tests.skips", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(
        command, cwd=folder, env=env | ({"CI": "true"} if ci else {}), capture_output=True, text=True, check=False
    )
    assert "1 skipped" in done.stdout or "not among the reasons in tests/skips.py" in done.stdout, done.stdout
    return "1 skipped" not in done.stdout


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_in_ci_a_skip_fails_unless_its_reason_is_on_the_list(tmp_path, test):
    assert fails(tmp_path, test.format("I do not feel like it"))
    assert not fails(tmp_path, test.format("helm is not on PATH, and HELM does not name it"))


def test_outside_of_ci_a_skip_is_a_skip(tmp_path):
    assert not fails(tmp_path, TESTS["a test"].format("I do not feel like it"), ci=False)
