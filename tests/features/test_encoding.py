"""Which number stands for which category."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from features.encoding import Encoding, EncodingError
from tests.conftest import REPOSITORY

ENCODING = Encoding(("recency_days", "tier"), {"tier": ("basic", "gold")})


def test_a_category_is_its_place_and_an_unknown_one_is_missing() -> None:
    assert ENCODING.code("tier", "gold") == 1
    assert math.isnan(ENCODING.code("tier", "platinum"))


def test_columns_are_found_by_name() -> None:
    assert ENCODING.columns(["tier", "recency_days"]) == [1, 0]
    with pytest.raises(EncodingError, match=r"no feature 'age' \(have 2\)"):
        ENCODING.columns(["age"])


def test_an_encoding_survives_saving(tmp_path: Path) -> None:
    full = Encoding.of(
        ("recency_days", "points_expire_days", "tier"), ENCODING.categories, {}, {"Art!": "Art_"}
    )
    for encoding in (ENCODING, full):
        encoding.save(tmp_path / "encoding.json")
        assert Encoding.load(tmp_path / "encoding.json") == encoding


def test_names_and_declared_attributes_tell_what_counts_days() -> None:
    names = ("recency_days", "birthday", "tenure_days", "points_expire_days", "bought_days__x", "n")
    encoding = Encoding.of(names, {}, {"birthday": "time", "tenure_days": "number"}, {"X!": "x"})
    assert encoding.since == ("recency_days", "birthday", "bought_days__x")
    assert encoding.until == ("points_expire_days",)
    assert encoding.vocabulary == {"X!": "x"}


def test_every_feature_that_the_reference_says_counts_days_is_known_to() -> None:
    text = (REPOSITORY / "docs" / "reference" / "features.md").read_text(encoding="utf-8")
    of_members = text.split("\n## popularity")[0]
    since = re.findall(r"^- `(\w+)(?:<c>)?`: days since", of_members, re.MULTILINE)
    until = re.findall(r"^- `(\w+)`: days until", of_members, re.MULTILINE)
    names = tuple(f"{name}x" if name.endswith("__") else name for name in (*since, *until))
    encoding = Encoding.of(names, {})
    assert encoding.since == names[: len(since)]
    assert encoding.until == names[len(since) :] == ("points_expire_days",)
    assert len(since) >= 7


def test_an_older_file_is_read_by_the_names_of_its_features(tmp_path: Path) -> None:
    path = tmp_path / "encoding.json"
    path.write_text('{"names": ["last_seen_days", "interest__art", "a"], "categories": {}}')
    encoding = Encoding.load(path)
    assert encoding.since == ("last_seen_days",)
    assert encoding.vocabulary == {"art": "art"}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"names": ["a"]}', '{"names": 3, "categories": []}']
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "encoding.json"
    path.write_text(content)
    with pytest.raises(EncodingError, match=r"encoding\.json does not read as an encoding"):
        Encoding.load(path)
