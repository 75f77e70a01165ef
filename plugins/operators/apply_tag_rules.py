"""`ApplyTagRulesOperator`: the rules that people write to cdm.tag_rules."""

from pathlib import Path
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from operators.base import PipelineOperator, request_of
from warehouse.constants import TAG_RULES_FILE
from warehouse.layers import RULE_CATEGORIES, TAG_RULES
from warehouse.requests import BadRequestError
from warehouse.tag_rules import BadRulesError, apply_rules, parse_rule_request, parse_rules, unknown_categories


class ApplyTagRulesOperator(PipelineOperator):
    """Set the one rule that the run's form asks for, or all rules of `config/tag_rules.yaml`, in one transaction.

    A rule that is as it should be keeps its version; what has changed is applied to all guests by the next run. A category that
    no menu has fails the form (unless it says that the category is new) and is a warning for the file, which a first deployment
    applies before there are menus. What is wrong fails the task at once, without retries, with near names.
    Returns counts: rules, changed. Raises `UnreachableError` where PostgreSQL refuses us.
    """

    def __init__(self, *, rules_file: str = TAG_RULES_FILE, **kwargs: Any) -> None:
        super().__init__(files=[RULE_CATEGORIES, TAG_RULES], **kwargs)
        self.rules_file = rules_file

    def execute(self, context: Context) -> dict[str, int]:
        """Read the request, check it against the menus, set the rules."""
        try:
            request = parse_rule_request(request_of(context))
            rules = [request.rule] if request.rule else parse_rules(Path(self.rules_file).read_text(encoding="utf-8"))
        except (BadRequestError, BadRulesError) as error:
            raise AirflowFailException(str(error)) from error
        with self.open_session() as session:
            known = [name for (name,) in session.ask(RULE_CATEGORIES)]
            for complaint in unknown_categories(rules, known):
                if not request.insists:
                    raise AirflowFailException(f"{complaint} (if it is to come, tick 'category is new')")
                self.log.warning("%s (nobody gets the tag until a menu has it)", complaint)
            with session.transaction():
                counts = apply_rules(session, rules)
        self.log.info("%(changed)d of %(rules)d rules have changed; the next run applies them to all guests", counts)
        return counts
