"""What layers below the pages say has a translation too."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator

import pytest

from dashboard.areas.member_timeline import EVENTS, SIGNS
from dashboard.web.language import CODES, language
from decisions.reasons import REASONS
from features.contract import EVENT_TYPES, OUTCOME_TYPES
from serving.explanation import CHANCE, EFFECT
from serving.explanation_words import TOLD_EVIDENCE, TOLD_LIMITS, TOLD_REASONS
from serving.feature_words import PHRASES
from tests.conftest import REPOSITORY

TABLE = re.compile(r"<table[^>]*>(?!\s*<caption)")
OTHERS = [code for code in CODES if code != "en"]
SAID = (
    "serving/explanation.py", "serving/explanation_words.py", "serving/feature_words.py",
    "experiments/rule_court.py", "experiments/standout.py",
)  # fmt: skip


def messages() -> Iterator[str]:
    """Every sentence that is said by explanations, features and the rule court: what is handed to
    ``says``, and whatever has a place for a value."""
    for path in SAID:
        for node in ast.walk(ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node).endswith("says"):
                yield from (one for one in _texts(node.args[:1]) if " " in one.strip())
            elif isinstance(node, ast.Constant) and "%(" in str(node.value):
                yield str(node.value)
    yield from (*TOLD_REASONS.values(), *TOLD_EVIDENCE.values(), *TOLD_LIMITS.values())
    yield from (CHANCE, EFFECT, *(kind.replace("_", " ") for kind in OUTCOME_TYPES))
    for _, said, missing in PHRASES:
        yield from filter(None, (said, missing))


def _called(node: ast.Call) -> str:
    name = node.func
    return name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")


def _texts(arguments: list[ast.expr]) -> Iterator[str]:
    for argument in arguments:
        for node in ast.walk(argument):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_of_an_explanation_has_a_translation(code: str) -> None:
    texts = language(code).texts
    assert not sorted({one for one in messages() if one not in texts})


@pytest.mark.parametrize("code", OTHERS)
def test_a_translated_feature_keeps_its_values(code: str) -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    texts = language(code).texts
    for _, *phrases in PHRASES:
        for english in filter(None, phrases):
            assert fields(texts[english]) == fields(english), english


def test_every_reason_and_event_is_thought_of() -> None:
    assert set(REASONS[1:]) <= set(TOLD_REASONS)
    assert set(OUTCOME_TYPES) <= set(SIGNS)
    assert set(EVENT_TYPES) == set(EVENTS)


def test_every_table_of_a_page_or_report_says_what_it_is_of() -> None:
    for template in (REPOSITORY / "dashboard" / "templates").rglob("*.html"):
        bare = TABLE.findall(template.read_text(encoding="utf-8"))
        assert not bare, f"{template.name}: a table without a caption"
