"""The file of audiences, and the files of suppressions and consents: what is right, and what is said of the rest."""

from pathlib import Path

import pytest

from harness.pipeline import Pipeline
from warehouse.audiences import BadAudiencesError, parse_audiences, unknown_tags
from warehouse.constants import AUDIENCES_FILE
from warehouse.suppressions import load_consents, load_suppressions, parse_suppressions

LINE = (
    "{audience: pizza, channel: yandex, include_tags: [fan], identifier: phone_sha256, format: yandex, "
    "requires_consent: true, salt: s}"
)


def written(line: str) -> str:
    return f"audiences:\n  - {line}\n"


def test_the_committed_file_is_right_and_shows_one_that_is() -> None:
    text = Path(AUDIENCES_FILE).read_text(encoding="utf-8")
    assert parse_audiences(text) == []
    example = (
        text[text.index("#   - {") :].replace("#   ", "  ").replace("#      ", "     ").replace("audiences: []", "")
    )
    (pizza,) = parse_audiences(f"audiences:\n{example}")
    assert (pizza["audience"], pizza["control_percent"], pizza["max_change_percent"]) == ("pizza-yandex", 10, 30)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("requires_consent: true, ", "", "line 2: requires_consent is missing: it must be true or false"),
        ("audience: pizza", "audience: ../pizza", "line 2: audience must be a name of a to z"),
        ("audience: pizza", "audience: incoming", "line 2: audience must be a name of a to z"),
        ("identifier: phone_sha256", "identifier: phone", "line 2: identifier must be one of guest_id"),
        ("include_tags: [fan]", "include_tags: []", "line 2: include_tags must be a list of one or more tags"),
        ("include_tags: [fan]", "include_tags: fan", "line 2: include_tags must be a list of one or more tags"),
        ("salt: s", "salt: ''", "line 2: salt must be a text"),
        ("salt: s", "salt: s, control_percent: 100", "line 2: control_percent must be a number from 0 to 99.99"),
        ("salt: s", "salt: s, min_rows: '3'", "line 2: min_rows must be a whole number"),
        ("salt: s", "salt: s, exclude_tag: [x]", "line 2: unknown key 'exclude_tag'; did you mean 'exclude_tags'"),
        ("salt: s", "salt: s, exclude_tags: [fan]", "line 2: 'fan' is included and excluded"),
        (LINE, f"{LINE}\n  - {LINE}", "line 3: the audience 'pizza' stands there already"),
        (LINE, "pizza", "line 2: an audience must be written as key: value"),
        ("audiences:", "audience:", "one key, audiences"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_what_is_allowed(old: str, new: str, said: str) -> None:
    with pytest.raises(BadAudiencesError) as refusal:
        parse_audiences(written(LINE).replace(old, new))
    assert said in str(refusal.value)


def test_a_tag_that_no_rule_has_is_named_with_those_that_are_near() -> None:
    (complaint,) = unknown_tags(parse_audiences(written(LINE)), ["fans"])
    assert complaint == "pizza: no rule has the tag 'fan'; did you mean 'fans'?"


SUPPRESSIONS = """kind,value,channel,reason,since,until
guest,ann,*,unsubscribed,2026-03-01T00:00:00Z,
phone,8 999 123-45-67,yandex,complained,2026-03-01T00:00:00Z,2027-03-01T00:00:00Z
email, A.nn@GMail.com ,*,unsubscribed,2026-03-01T00:00:00Z,
phone,call me,*,unsubscribed,2026-03-01T00:00:00Z,
person,bob,*,unsubscribed,2026-03-01T00:00:00Z,
guest,bob,*,unsubscribed,yesterday,
guest,bob,*,unsubscribed,2026-03-01T00:00:00Z,2026-02-01T00:00:00Z
guest,bob
"""


def test_a_file_of_suppressions_is_loaded_once_and_phones_stand_by_their_hashes(pipeline: Pipeline) -> None:
    from tests.warehouse.test_audience_examples import OF_A, at

    for stored in (6, 0):
        with pipeline.session.transaction():
            new, wrong = load_suppressions(pipeline.session, SUPPRESSIONS, "march.csv", at("03-02 00:00:00"))
        assert new == stored
        assert wrong == [
            "line 6: kind must be one of guest, identifier, phone, email",
            "line 7: since must be an ISO 8601 time with a zone, such as 2026-11-25T00:00:00+03:00",
            "line 8: until must be later than since",
            "line 9: it must have 6 columns",
            "line 5: value is no phone",
        ]
    values = {value for (value,) in pipeline.rows("select value from cdm.suppressions")}
    assert {OF_A, "c523d04542feb526ea83dc33a4dc6aea", "ann"} < values
    assert not any(("999" in value and "-" in value) or "@" in value for value in values)


def test_a_file_with_other_columns_is_refused_whole() -> None:
    assert parse_suppressions("kind,value\nguest,ann\n").wrong == [
        "the first line must name the columns kind,value,channel,reason,since,until"
    ]


def test_a_consent_is_withdrawn_by_a_later_file_and_not_given_back_by_an_older_one(pipeline: Pipeline) -> None:
    given = "guest_id,channel,granted,withdrawn,source\nann,*,2026-03-01T00:00:00Z,,form\n"
    withdrawn = given.replace(",,form", ",2026-03-09T00:00:00Z,form")
    for text, changed in ((given, 1), (given, 0), (withdrawn, 1), (given, 0)):
        with pipeline.session.transaction():
            assert load_consents(pipeline.session, text) == (changed, [])
    assert pipeline.value("select count(*) from cdm.consents where withdrawn_dt is not null") == 1
