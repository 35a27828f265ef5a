"""Value tiers by what members are expected to spend."""

from __future__ import annotations

from datetime import datetime

import pyarrow.parquet as pq
import pytest

from features.build import build_features
from features.errors import FeatureError
from features.record import view_file
from features.worth import buying_files, remember_buying
from tests.features.given import AS_OF, Given, Row, ago, events, write_batch
from tests.features.rich_shop import BUYING

# One big order long ago is worth less than small ones that go on.
BIG_ONCE = {"big": (300.0,)}
SMALL_OFTEN = {f"often{n}": (60.0, 45.0, 30.0, 15.0) for n in range(9)}


def lines() -> list[Row]:
    bought = {**BIG_ONCE, **SMALL_OFTEN}
    return [
        {
            "event_id": f"{name} {day}", "member_id": name, "type": "purchase",
            "occurred_at": ago(day), "unit_price": 150.0 if name == "big" else 30.0,
        }
        for name, days in bought.items()
        for day in days
    ]  # fmt: skip


def tiers(given: Given, as_of: datetime) -> dict[str, str]:
    rows = pq.read_table(view_file(given.workspace, "lifecycle", as_of)).to_pylist()
    return {row["member_id"]: row["value_tier"] for row in rows}


def test_tiers_go_by_spend_until_a_training_says_what_to_expect(given: Given) -> None:
    write_batch(given.workspace, "events", events(*lines()))
    build_features(given.workspace, [ago(9), AS_OF])
    assert tiers(given, ago(9))["big"] == tiers(given, AS_OF)["big"] == "gold"

    remember_buying(given.workspace, ago(5), BUYING)
    report = build_features(given.workspace, [ago(9), AS_OF])
    assert report.unchanged == (ago(9),)  # what was learned later is not seen
    assert tiers(given, ago(9))["big"] == "gold"
    assert tiers(given, AS_OF)["big"] == "bronze"
    assert list(tiers(given, AS_OF).values()).count("gold") == 1


def test_the_same_training_again_leaves_what_was_built(given: Given) -> None:
    write_batch(given.workspace, "events", events(*lines()))
    remember_buying(given.workspace, ago(5), BUYING)
    build_features(given.workspace, [AS_OF])
    remember_buying(given.workspace, ago(5), BUYING)
    assert build_features(given.workspace, [AS_OF]).unchanged == (AS_OF,)
    assert len(buying_files(given.workspace)) == 1


@pytest.mark.parametrize("change", [{"r": 0.0}, {"q": float("nan")}, {"more": 1.0}])
def test_refuses_numbers_that_say_nothing(given: Given, change: dict[str, float]) -> None:
    with pytest.raises(FeatureError, match="wanted one above 0 for each of"):
        remember_buying(given.workspace, AS_OF, {**BUYING, **change})
