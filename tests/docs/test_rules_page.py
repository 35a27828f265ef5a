"""Every rule on the page about rules is one."""

from __future__ import annotations

import re

import pytest

from decisions.rules import parse, show
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "rules.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```rules\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("rule", "".join(BLOCKS).splitlines())
def test_a_rule_of_the_page_reads(rule: str) -> None:
    assert parse(show(parse(rule))) == parse(rule)


def test_the_page_holds_rules() -> None:
    assert len(BLOCKS) == 2
