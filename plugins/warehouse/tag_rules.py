"""Tag rules that people write, in `config/tag_rules.yaml` or in the form of the DAG `tag_rules`: read, checked, stored."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import yaml

from warehouse.layers import (
    TAG_RULES,
    TAG_RULES_ACTIVATED,
    TAG_RULES_BACK,
    TAG_RULES_DROPPED,
    TAG_RULES_LOCK,
    TAG_RULES_NOW,
    TAG_RULES_RETIRED,
)
from warehouse.requests import (
    ACTIVATE,
    ACTIVE,
    DRAFT,
    GO_BACK,
    ONE_RULE,
    RETIRE,
    RETIRED,
    TAG_RULE,
    THE_FILE,
    THROW_AWAY,
    BadRequestError,
    near,
)
from warehouse.session import Session

MAX_CHARACTERS = 200
# What has no value in the file unless it says one, though the form opens with one.
WITHOUT_DEFAULT = ("tag", "category", "threshold")
FILE_OF = {
    ACTIVATE: TAG_RULES_ACTIVATED,
    THROW_AWAY: TAG_RULES_DROPPED,
    RETIRE: TAG_RULES_RETIRED,
    GO_BACK: TAG_RULES_BACK,
}
# What a change of rules runs.
RULE_FILES = (TAG_RULES_LOCK, TAG_RULES_NOW, TAG_RULES, *FILE_OF.values())
_LATIN, _CYRILLIC = re.compile("[A-Za-z\u00c0-\u024f]"), re.compile("[\u0400-\u052f]")

TagRule: TypeAlias = Mapping[str, Any]
"""Values of the fields of `TAG_RULE` but `active`, which is what `status` says."""


class BadRulesError(ValueError):
    """Rules are wrong; the text says which, where and what is allowed, a line each."""


class Written(NamedTuple):
    """A rule, and where it was written ("line 3: ", or nothing)."""

    rule: TagRule
    place: str = ""


class RuleRequest(NamedTuple):
    """What a run of `tag_rules` was asked for.

    `rule` is the rule to set, `tag` the tag to do something with; with neither, the file is to be applied. `insists`: the
    rule's category may be unknown yet. `expected`: the newest version of the tag that whoever asks has seen, if they say so.
    """

    action: str
    rule: TagRule | None = None
    tag: str | None = None
    version: int | None = None
    expected: int | None = None
    insists: bool = False


class Tag(NamedTuple):
    """How a tag stands: its newest version and who made it when, its category in force, whether it has a draft."""

    newest_version: int
    changed_by: str | None
    changed_dt: Any
    active_category: str | None
    has_draft: bool


def parse_rules(text: str) -> list[Written]:
    """Return the rules of a file. Raises `BadRulesError` with every mistake and its line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadRulesError(f"not YAML: {error}") from None
    document = _mapping(root, "the file")
    if root is None or set(document) != {"rules"} or not isinstance(document["rules"], yaml.SequenceNode):
        raise BadRulesError("the file must hold one key, rules, with a list of rules")
    rules: dict[str, Written] = {}
    mistakes = []
    for node in document["rules"].value:
        place = f"line {node.start_mark.line + 1}: "
        try:
            rule = _rule_of(node)
            if rule["tag"] in rules:
                raise BadRulesError(f"the tag {rule['tag']!r} has a rule already; a tag has one")
            _refuse_name(rule["tag"], rules)
            rules[rule["tag"]] = Written(rule, place)
        except BadRulesError as error:
            mistakes.append(f"{place}{error}")
    if mistakes:
        raise BadRulesError("\n".join(mistakes))
    return list(rules.values())


def parse_rule_request(request: Mapping[str, Any]) -> RuleRequest:
    """Return what the judged values of a run (`warehouse.requests`) ask for together. Raises `BadRequestError`."""
    action, expected = request["action"], request["expected_version"]
    if action == THE_FILE:
        return RuleRequest(action, insists=True)
    try:
        if action == ONE_RULE:
            rule = checked_rule({name: request[name] for name in TAG_RULE})
            return RuleRequest(action, rule, rule["tag"], None, expected, request["category_is_new"])
        tag = _name(request["tag"], "tag")
    except BadRulesError as error:
        raise BadRequestError(str(error)) from error
    if action == GO_BACK and request["version"] is None:
        raise BadRequestError("'version' must say to which version of the tag to go back, such as 3")
    return RuleRequest(action, None, tag, request["version"] if action == GO_BACK else None, expected)


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
    if rule["exit_threshold"] is not None and rule["exit_threshold"] > rule["threshold"]:
        raise BadRulesError(
            f"'exit_threshold' must be from 0 to the threshold, which is {rule['threshold']}, or empty, "
            f"not {rule['exit_threshold']}: a tag can't leave before it came"
        )
    if not rule.pop("active"):
        if rule["status"] == DRAFT:
            raise BadRulesError("a rule is a draft or retired, not both: 'active' false means retired")
        rule["status"] = RETIRED
    return rule | {name: _name(rule[name], name) for name in ("tag", "category")}


def unknown_categories(rules: Iterable[Written], known: Collection[str]) -> Iterator[str]:
    """Yield what to tell of each rule in force or draft whose category no menu has, with the names that are near."""
    for rule, place in rules:
        if rule["status"] != RETIRED and rule["category"] not in known:
            yield f"{place}{rule['tag']}: no menu has the category {rule['category']!r}{near(rule['category'], known)}"


def folded(tag: str) -> str:
    """Return what two names have in common that people take for one: without case, blanks and Unicode form (`cdm.folded_tag`)."""
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", tag)).lower()
    return unicodedata.normalize("NFKC", plain)


def apply_rules(session: Session, rules: Collection[Written], by: str | None = None) -> dict[str, int]:
    """Set rules, all or none, in the transaction that is open, for the person `by`; return how many there were and have changed.

    Raises `BadRulesError` where a name is too near to a known one, or a rule in force would get another category.
    """
    known = _take_turn(session, by)
    mistakes = [f"{place}{error}" for rule, place in rules for error in _mistakes(rule, known)]
    if mistakes:
        raise BadRulesError("\n".join(mistakes))
    counts = {"rules": 0, "changed": 0}
    for rule, _ in rules:
        counts["rules"] += 1
        changed = sum(session.run([TAG_RULES], rule).values())
        counts["changed"] += changed
        if changed:
            session.log.info("rule set: %s", ", ".join(f"{name} {value!r}" for name, value in rule.items()))
    return counts


def change_rule(session: Session, request: RuleRequest, by: str | None = None) -> dict[str, Any]:
    """Do what is asked of one tag, in the transaction that is open, for the person `by`.

    Returns counts, and the newest version of the tag. Raises `BadRulesError` where it can't be done, or where somebody has
    changed the tag since whoever asks has looked at it.
    """
    tag = str(request.tag)
    now = _take_turn(session, by).get(tag, Tag(0, None, None, None, has_draft=False))
    if request.expected is not None and request.expected != now.newest_version:
        who = f": {now.changed_by} made it at {now.changed_dt:%Y-%m-%d %H:%M:%S %Z}" if now.changed_by else ""
        raise BadRulesError(
            f"{tag} has version {now.newest_version} by now, not {request.expected}{who}. Look at it first; nothing was changed"
        )
    if request.rule is not None:
        return apply_rules(session, [Written(request.rule)], by) | {"version": _known(session)[tag].newest_version}
    if request.action in (ACTIVATE, THROW_AWAY) and not now.has_draft:
        raise BadRulesError(
            f"{tag} has no draft to {request.action.split()[0]}: set its rule with the status draft first"
        )
    if not now.newest_version:
        raise BadRulesError(f"there was never a rule of {tag}")
    if request.version is not None and request.version > now.newest_version:
        raise BadRulesError(f"{tag} never had a version {request.version}; its newest is {now.newest_version}")
    session.run([FILE_OF[request.action]], {"tag": tag, "version": request.version})
    after = _known(session)[tag]
    session.log.info("%s: %s, version %d by %s", request.action, tag, after.newest_version, after.changed_by)
    return {"rules": 1, "changed": int(after != now), "version": after.newest_version}


def _take_turn(session: Session, by: str | None) -> dict[str, Tag]:
    """Let nobody else change rules until the end of the transaction; return how each tag stands."""
    session.run([TAG_RULES_LOCK], {"changed_by": by})
    return _known(session)


def _known(session: Session) -> dict[str, Tag]:
    return {tag: Tag(*values) for tag, *values in session.ask(TAG_RULES_NOW)}


def _mistakes(rule: TagRule, known: Mapping[str, Tag]) -> Iterator[str]:
    tag, category = rule["tag"], rule["category"]
    if tag not in known:
        try:
            _refuse_name(tag, known)
        except BadRulesError as error:
            yield str(error)
    elif rule["status"] == ACTIVE and known[tag].active_category not in (None, category):
        yield (
            f"{tag}: the category of a rule in force stays {known[tag].active_category!r}; "
            f"for {category!r} make a new tag, or retire the rule first"
        )


def _refuse_name(tag: str, known: Iterable[str]) -> None:
    """Raise `BadRulesError` where people would take a new tag for a known one, or for what it is not."""
    if _LATIN.search(tag) and _CYRILLIC.search(tag):
        raise BadRulesError(f"tag {tag!r} mixes Latin and Cyrillic letters, which look alike; use one alphabet")
    for other in known:
        if folded(other) == folded(tag):
            raise BadRulesError(
                f"tag {tag!r} differs from the tag {other!r} only by case, blanks or Unicode form; use that name, or another"
            )


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
