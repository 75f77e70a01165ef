"""`ApplyTagRulesOperator`: the rules that people write to cdm.tag_rules."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from operators.base import PipelineOperator, request_of, started_by
from warehouse.constants import TAG_RULES_FILE
from warehouse.layers import RULE_CATEGORIES
from warehouse.requests import BadRequestError
from warehouse.tag_rules import (
    RULE_FILES,
    BadRulesError,
    Written,
    apply_rules,
    change_rule,
    parse_rule_request,
    parse_rules,
    unknown_categories,
)


class ApplyTagRulesOperator(PipelineOperator):
    """Do with the rules what the run's form asks for, in one transaction, in the name of the person who started the run.

    That is: set one rule, apply all of `config/tag_rules.yaml`, or activate a draft, throw it away, retire a rule, go back to a
    version. A rule that is as it should be keeps its version; what has changed is applied to all guests by the next run. A
    category that no menu has fails the form (unless it says that the category is new); it is a warning for the file, which a
    first deployment applies before there are menus. What is wrong fails the task at once, without retries, and changes nothing.
    Returns counts: rules, changed; of one tag its newest version, too. Raises `UnreachableError` where PostgreSQL refuses us.
    """

    def __init__(self, *, rules_file: str = TAG_RULES_FILE, **kwargs: Any) -> None:
        super().__init__(files=[RULE_CATEGORIES, *RULE_FILES], **kwargs)
        self.rules_file = rules_file

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the request, check it against the menus and the rules that are there, do it."""
        with refusals():
            request = parse_rule_request(request_of(context))
            rules = [Written(request.rule)] if request.rule else []
            if request.tag is None:
                rules = parse_rules(Path(self.rules_file).read_text(encoding="utf-8"))
        by = started_by(context)
        with refusals(), self.open_session() as session:
            known = [name for (name,) in session.ask(RULE_CATEGORIES)]
            for complaint in unknown_categories(rules, known):
                if not request.insists:
                    raise BadRulesError(f"{complaint} (if it is to come, tick 'category is new')")
                self.log.warning("%s (nobody gets the tag until a menu has it)", complaint)
            with session.transaction():
                counts = apply_rules(session, rules, by) if request.tag is None else change_rule(session, request, by)
        self.log.info("%(changed)d of %(rules)d rules have changed; the next run applies them to all guests", counts)
        return counts


@contextmanager
def refusals() -> Iterator[None]:
    """Make of what is wrong with a request a failure without retries, whether we or the triggers of the table say it."""
    try:
        yield
    except (BadRequestError, BadRulesError) as error:
        raise AirflowFailException(str(error)) from error
    except psycopg.errors.CheckViolation as error:
        raise AirflowFailException(error.diag.message_primary or str(error)) from error
