"""Who may start what, tried by people who have logged in at the app of a real API server under the FAB auth manager."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.airflow_roles import ROLES
from tests.e2e.conftest import DAGS

MARKETING, APPROVER, SUPPORT = ROLES
ALL = set(DAGS)
# Each is a person with these roles, and what they may start.
PEOPLE = {
    "root": (["Admin"], ALL),
    "operator": (["Op"], ALL),
    "looker": (["Viewer"], set()),
    "marketer": (["Viewer", MARKETING], {"tag_rules", "tag_rule_rehearse", "audience_export"}),
    "approver": (["Viewer", APPROVER], {"audience_approve"}),
    "support": (["Viewer", SUPPORT], set()),
}
SEE_GUESTS = {"root", "operator", "support"}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each person's tries."""
    home = tmp_path_factory.mktemp("fab")
    roles = json.dumps({name: roles for name, (roles, _) in PEOPLE.items()})
    program = str(Path(__file__).with_name("people.py"))
    done = subprocess.run([sys.executable, program, str(home), roles], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", PEOPLE)
def test_each_person_starts_what_their_roles_say_and_nothing_else(tried: dict[str, Any], name: str) -> None:
    _, allowed = PEOPLE[name]
    starts = tried[name]["starts"]
    assert set(starts) == ALL, "everybody may look"
    assert {dag: status for dag, status in starts.items() if status not in (200, 403)} == {}
    assert {dag for dag, status in starts.items() if status == 200} == allowed


@pytest.mark.parametrize("name", PEOPLE)
def test_the_page_greys_the_buttons_that_airflow_would_refuse(tried: dict[str, Any], name: str) -> None:
    _, allowed = PEOPLE[name]
    if name == "looker":
        assert tried[name]["page"] == 403, "plugins are not for every viewer"
        return
    buttons = tried[name]["buttons"]
    assert {dag for dag, may in buttons.items() if may} == allowed & set(buttons)


@pytest.mark.parametrize("name", PEOPLE)
def test_single_guests_are_shown_to_those_whose_role_says_so(tried: dict[str, Any], name: str) -> None:
    told = tried[name]
    assert told["guests"] == (None if name == "looker" else name in SEE_GUESTS)
    for status in (told["asked for the guests of a tag"], told["asked why"]):
        # Whether there is a warehouse behind it is the machine's business.
        assert status in ((200, 503) if name in SEE_GUESTS else (403,))
