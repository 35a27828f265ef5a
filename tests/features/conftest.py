"""Fixtures of the feature tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.features.given import Given


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    made = Given(tmp_path / "workspace")
    yield made
    for opened in made.opened:
        opened.close()
