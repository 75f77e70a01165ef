"""Set the tag rules of `config/tag_rules.yaml`: the last step of a deployment, after the migrations.

Reads DWH_URL. Changes nothing where the rules are as the file says; rules of other tags are left alone. A file that is wrong
ends it with a line for each mistake.

    python -m deploy.apply_tag_rules
"""

import logging
import os
from pathlib import Path

import psycopg

from warehouse.constants import TAG_RULES_FILE
from warehouse.layers import TRANSACTION
from warehouse.session import Session
from warehouse.sql_files import read_sql
from warehouse.tag_rules import RULE_FILES, BadRulesError, apply_rules, parse_rules


def main() -> None:
    """Read the file, then set its rules in one transaction."""
    url = os.environ.get("DWH_URL")
    if not url:
        raise SystemExit("DWH_URL is not set: give the URL of the warehouse for its owner")
    try:
        rules = parse_rules(Path(TAG_RULES_FILE).read_text(encoding="utf-8"))
        with psycopg.connect(url) as connection:
            session = Session(connection, read_sql([TRANSACTION, *RULE_FILES]), log=logging.getLogger(__name__))
            with session.transaction():
                counts = apply_rules(session, rules)
    except (BadRulesError, OSError, psycopg.Error) as error:
        raise SystemExit(f"the rules of {TAG_RULES_FILE} are not applied: {error}") from error
    print("{changed} of {rules} tag rules have changed".format(**counts))


if __name__ == "__main__":
    main()
