"""How long things are kept: `config/terms.yaml`, read and checked."""

from datetime import timedelta
from typing import NamedTuple

import yaml

from warehouse.requests import BadRequestError

DAYS = range(1, 3661)


class BadTermsError(BadRequestError):
    """The terms are wrong; the text says which, and what is allowed."""


class Terms(NamedTuple):
    """How long each is kept."""

    solved_letters: timedelta
    export_files: timedelta
    airflow_runs: timedelta
    airflow_logs: timedelta


def parse_terms(text: str) -> Terms:
    """Return the terms that a file says. Each must be there: nothing is deleted by a default. Raises `BadTermsError`."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadTermsError(f"the terms are no YAML: {error}") from error
    said = document.get("terms") if isinstance(document, dict) else None
    names = [f"{field}_days" for field in Terms._fields]
    if not isinstance(said, dict) or set(said) != set(names):
        raise BadTermsError(f"'terms' must hold {', '.join(names)}, and nothing else")
    for name, days in said.items():
        if type(days) is not int or days not in DAYS:
            raise BadTermsError(f"{name!r} must be a whole number of days from {DAYS[0]} to {DAYS[-1]}, not {days!r}")
    return Terms(*(timedelta(days=said[name]) for name in names))
