"""`ApplyTagRulesOperator`: the rules that people write to cdm.tag_rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from operators.base import PipelineOperator, request_of
from operators.connections import open_postgres
from warehouse.constants import CDM_RULES, CDM_RULES_QUERY, POSTGRES_CONN_ID, TAG_RULES_FILE, TRANSACTION
from warehouse.requests import BadRequestError
from warehouse.sql_files import named_sql, run_sql
from warehouse.tag_rules import BadRulesError, apply_rules, parse_rule_request, parse_rules, unknown_categories


class ApplyTagRulesOperator(PipelineOperator):
    """Set the one rule that the run's form asks for, or all rules of `config/tag_rules.yaml`, in one transaction.

    A rule that is as it should be keeps its version; what has changed is applied to all guests by the next run. A category that
    no menu has fails the form (unless it says that the category is new) and is a warning for the file, which a first deployment
    applies before there are menus. What is wrong fails the task at once, without retries, with near names.
    Returns counts: rules, changed. Raises `UnreachableError` where PostgreSQL refuses us.
    """

    template_fields: Sequence[str] = ("prepare", "query", "load")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        rules_file: str = TAG_RULES_FILE,
        statement_timeout_s: float = 300.0,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rules_file = rules_file
        self.statement_timeout_s = statement_timeout_s
        self.postgres_conn_id = postgres_conn_id
        self.prepare = [TRANSACTION]
        self.query = list(CDM_RULES_QUERY)
        self.load = list(CDM_RULES)

    def execute(self, context: Context) -> dict[str, int]:
        """Read the request, check it against the menus, set the rules."""
        try:
            request = parse_rule_request(request_of(context))
            rules = [request.rule] if request.rule else parse_rules(Path(self.rules_file).read_text(encoding="utf-8"))
        except (BadRequestError, BadRulesError) as error:
            raise AirflowFailException(str(error)) from error
        params = {"statement_timeout_ms": int(self.statement_timeout_s * 1000)}
        (query,) = named_sql(CDM_RULES_QUERY, self.query)
        with open_postgres(self.postgres_conn_id) as connection, connection.transaction():
            run_sql(connection, named_sql([TRANSACTION], self.prepare), params, self.log)
            with psycopg.ClientCursor(connection) as cursor:
                known = [name for (name,) in cursor.execute(query.text).fetchall()]
            for complaint in unknown_categories(rules, known):
                if not request.insists:
                    raise AirflowFailException(f"{complaint} (if it is to come, tick 'category is new')")
                self.log.warning("%s (nobody gets the tag until a menu has it)", complaint)
            counts = apply_rules(connection, rules, named_sql(CDM_RULES, self.load), self.log)
        self.log.info("%(changed)d of %(rules)d rules have changed; the next run applies them to all guests", counts)
        return counts
