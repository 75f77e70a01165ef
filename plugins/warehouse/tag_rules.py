"""Tag rules that people write, in `config/tag_rules.yaml` or in the form of the DAG `tag_rules`: read, checked, stored."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import yaml

from warehouse.layers import TAG_RULES
from warehouse.requests import TAG_RULE, THE_FILE, BadRequestError, near
from warehouse.session import Session

MAX_CHARACTERS = 200
# What has no value in the file unless it says one, though the form opens with one.
WITHOUT_DEFAULT = ("tag", "category", "threshold")

TagRule: TypeAlias = Mapping[str, Any]
"""Values of the fields of `TAG_RULE`: a guest carries `tag` while their counter of `category` exceeds `threshold`."""


class BadRulesError(ValueError):
    """Rules are wrong; the text says which, where and what is allowed, a line each."""


class RuleRequest(NamedTuple):
    """What a run of `tag_rules` was asked for: one rule, or with None the file; `insists`: its category may be unknown yet."""

    rule: TagRule | None
    insists: bool


def parse_rules(text: str) -> list[TagRule]:
    """Return the rules of a file. Raises `BadRulesError` with every mistake and its line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadRulesError(f"not YAML: {error}") from None
    document = _mapping(root, "the file")
    if root is None or set(document) != {"rules"} or not isinstance(document["rules"], yaml.SequenceNode):
        raise BadRulesError("the file must hold one key, rules, with a list of rules")
    rules: dict[str, TagRule] = {}
    mistakes = []
    for node in document["rules"].value:
        line = node.start_mark.line + 1
        try:
            rule = _rule_of(node)
            if rule["tag"] in rules:
                raise BadRulesError(f"the tag {rule['tag']!r} has a rule already; a tag has one")
            rules[rule["tag"]] = rule
        except BadRulesError as error:
            mistakes.append(f"line {line}: {error}")
    if mistakes:
        raise BadRulesError("\n".join(mistakes))
    return list(rules.values())


def parse_rule_request(request: Mapping[str, Any]) -> RuleRequest:
    """Return what the judged values of a run (`warehouse.requests`) ask for together. Raises `BadRequestError`."""
    if request["action"] == THE_FILE:
        return RuleRequest(None, insists=True)
    try:
        rule = checked_rule({name: request[name] for name in TAG_RULE})
    except BadRulesError as error:
        raise BadRequestError(str(error)) from error
    return RuleRequest(rule, insists=request["category_is_new"])


def checked_rule(fields: Mapping[str, object]) -> TagRule:
    """Return the rule in `fields`, those that are left out as they are by default. Raises `BadRulesError`."""
    unknown = sorted(set(fields) - set(TAG_RULE))
    if unknown:
        raise BadRulesError(f"unknown key {unknown[0]!r}{near(unknown[0], TAG_RULE)}; known: {', '.join(TAG_RULE)}")
    try:
        rule = {
            name: field.check(name, fields.get(name, None if name in WITHOUT_DEFAULT else field.default))
            for name, field in TAG_RULE.items()
        }
    except BadRequestError as error:
        raise BadRulesError(str(error)) from error
    return rule | {name: _name(rule[name], name) for name in ("tag", "category")}


def unknown_categories(rules: Iterable[TagRule], known: Collection[str]) -> Iterator[str]:
    """Yield what to tell of each active rule whose category no menu has, with the names that are near."""
    for rule in rules:
        if rule["active"] and rule["category"] not in known:
            yield f"{rule['tag']}: no menu has the category {rule['category']!r}{near(rule['category'], known)}"


def apply_rules(session: Session, rules: Iterable[TagRule]) -> dict[str, int]:
    """Set rules in the transaction that is open; return how many there were and how many have changed."""
    counts = {"rules": 0, "changed": 0}
    for rule in rules:
        counts["rules"] += 1
        status = "active" if rule["active"] else "retired"
        set_as = {"status": status, "window_days": None, "exit_threshold": None, "comment": "", **rule}
        changed = sum(session.run([TAG_RULES], set_as).values())
        counts["changed"] += changed
        if changed:
            session.log.info("rule set: %s", ", ".join(f"{name} {value!r}" for name, value in rule.items()))
    return counts


def _rule_of(node: yaml.Node) -> TagRule:
    return checked_rule({key: _scalar(value, key) for key, value in _mapping(node, "a rule").items()})


def _mapping(node: yaml.Node | None, what: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise BadRulesError(f"{what} must be written as key: value")
    fields: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value in fields:
            raise BadRulesError(f"{key.value!r} stands there twice")
        fields[key.value] = value
    return fields


def _scalar(node: yaml.Node, key: str) -> object:
    if not isinstance(node, yaml.ScalarNode):
        raise BadRulesError(f"{key} must be a single value")
    return yaml.SafeLoader("").construct_object(node)


def _name(value: object, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadRulesError(f"{key} must be a text that is not empty, not {value!r}")
    if value != value.strip() or len(value) > MAX_CHARACTERS or not value.isprintable():
        raise BadRulesError(
            f"{key} must be printable, without blanks around it, at most {MAX_CHARACTERS} characters: {value!r}"
        )
    return value
