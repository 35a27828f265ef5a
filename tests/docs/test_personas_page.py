"""The file on the page about personas is one."""

from __future__ import annotations

import re
import tomllib

from decisions.personas import personas_from
from tests.conftest import REPOSITORY


def test_the_personas_of_the_page_read() -> None:
    page = (REPOSITORY / "docs" / "personas.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(personas_from(tomllib.loads(block))) == 3
