"""Which number stands for which category."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from features.encoding import Encoding, EncodingError

ENCODING = Encoding(("recency_days", "tier"), {"tier": ("basic", "gold")})


def test_a_category_is_its_place_and_an_unknown_one_is_missing() -> None:
    assert ENCODING.code("tier", "gold") == 1
    assert math.isnan(ENCODING.code("tier", "platinum"))


def test_columns_are_found_by_name() -> None:
    assert ENCODING.columns(["tier", "recency_days"]) == [1, 0]
    with pytest.raises(EncodingError, match=r"no feature 'age' \(have 2\)"):
        ENCODING.columns(["age"])


def test_an_encoding_survives_saving(tmp_path: Path) -> None:
    ENCODING.save(tmp_path / "encoding.json")
    assert Encoding.load(tmp_path / "encoding.json") == ENCODING


@pytest.mark.parametrize(
    "content", ["", "[]", '{"names": ["a"]}', '{"names": 3, "categories": []}']
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "encoding.json"
    path.write_text(content)
    with pytest.raises(EncodingError, match=r"encoding\.json does not read as an encoding"):
        Encoding.load(path)
