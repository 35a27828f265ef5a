"""Lifecycle flow and value tiers: what the views of builds say, counted between months."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.build import build_features
from features.errors import FeatureError
from features.insights import moved, standings
from features.insights.flow import lifecycle_flow, value_tiers
from features.insights.months import month_ends
from features.insights.moved import movements
from features.record import view_file
from features.workspace import Workspace
from features.worth import remember_buying
from tests.features.given import AS_OF, Row, ago, events, write_batch
from tests.features.rich_shop import BUYING

# Of a member list that does not say when its rows were changed.
JOINED = {f"m{n}": ago(45 if n < 5 else 15 if n < 7 else 100) for n in range(8)}
MOMENTS = [datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("flow"))
    rng = random.Random(3)
    # Some are members before they buy, others from their first event on; one order is known late.
    write_batch(
        workspace,
        "members",
        [{"member_id": f"m{n}", "joined_at": JOINED.get(f"m{n}")} for n in range(20)],
    )
    rows: list[Row] = [
        {"member_id": f"m{rng.randint(0, 60)}", "type": rng.choice(["purchase", "refund"]),
         "occurred_at": ago(rng.uniform(0, 200)), "unit_price": rng.randint(1, 90)}
        for n in range(300)
    ]  # fmt: skip
    known_late = {"member_id": "late", "type": "purchase", "occurred_at": ago(80), "unit_price": 5,
                  "received_at": ago(20)}  # fmt: skip
    write_batch(workspace, "events", [*events(*rows), {"event_id": "x", **known_late}], "b")
    remember_buying(workspace, ago(45), BUYING)
    build_features(workspace, MOMENTS)
    return workspace


def view(workspace: Workspace, moment: datetime) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(view_file(workspace, "lifecycle", moment)).to_pandas()
    return frame.set_index("member_id")


def built(workspace: Workspace, moment: datetime) -> pd.DataFrame:
    """The view, without those who are yet to join."""
    return view(workspace, moment).drop([name for name, at in JOINED.items() if at >= moment])


def test_stages_and_tiers_are_those_of_the_builds(shop: Workspace) -> None:
    found = movements(shop, AS_OF, 2)
    assert [(one.begins, one.ends) for one in found] == [
        *pairwise(MOMENTS), (MOMENTS[0], MOMENTS[-1]),
    ]  # fmt: skip
    for one in found:
        before, after = built(shop, one.begins), built(shop, one.ends)
        both = after.join(before, rsuffix="_before").fillna("joined")
        columns = ["lifecycle_before", "value_tier_before", "lifecycle", "value_tier"]
        wanted = Counter(map(tuple, both[columns].to_numpy().tolist()))
        assert {row[:4]: row[4] for row in one.rows} == wanted


def test_every_member_is_in_one_stage_and_goes_one_way(shop: Workspace) -> None:
    document = lifecycle_flow(shop, AS_OF, months=2)
    for standing, month in zip(document["standing"][1:], document["flows"], strict=True):
        assert sum(one["members"] for one in standing["of"].values()) == standing["members"]
        assert sum(one["members"] for one in month["moves"]) == standing["members"]
        into = Counter[str]()
        for one in month["moves"]:
            into[one["to"]] += one["members"]
        assert all(into[s] == one["members"] for s, one in standing["of"].items())
    assert document["flows"][-1]["joined"] > 0
    json.dumps(document, allow_nan=False)


def test_members_stand_nowhere_before_they_joined_and_are_new_in_that_month(
    shop: Workspace,
) -> None:
    document = lifecycle_flow(shop, AS_OF, months=2)
    late = [{name for name, at in JOINED.items() if at >= moment} for moment in MOMENTS]
    assert [len(one) for one in late] == [7, 2, 0]
    rosters = [set(view(shop, moment).index) - not_yet for moment, not_yet in
               zip(MOMENTS, late, strict=True)]  # fmt: skip
    assert [one["members"] for one in document["standing"]] == [len(one) for one in rosters]
    joined = [len(after - before) for before, after in pairwise(rosters)]
    assert [one["joined"] for one in document["flows"]] == joined
    assert document["undated"] == 20 - len(JOINED)


def test_spend_of_tiers_is_that_of_the_last_year(shop: Workspace) -> None:
    document = value_tiers(shop, AS_OF, months=2)
    spend = pq.read_table(view_file(shop, "purchases", AS_OF)).to_pandas().set_index("member_id")
    by_tier = spend.spend_365d.groupby(view(shop, AS_OF).value_tier).sum()
    found = {name: one["spend"] for name, one in document["spend"][-1]["of"].items()}
    assert found == pytest.approx(by_tier.to_dict() | {"none": by_tier.get("none", 0.0)})


def test_what_was_counted_is_counted_again_only_when_it_rests_on_something_else(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counted = movements(shop, AS_OF, 2)
    asked: list[datetime] = []
    real = standings.standings

    def watched(*given: Any) -> ir.Table:
        asked.append(given[3])
        return real(*given)

    monkeypatch.setattr(moved, standings.standings.__name__, watched)
    assert movements(shop, AS_OF, 2) == counted
    assert asked == []
    more: Row = {"member_id": "anna", "type": "purchase", "occurred_at": ago(10), "unit_price": 9}
    path = write_batch(shop, "events", [{"event_id": "y", **more}], "c")
    try:
        assert sum(row[4] for row in movements(shop, AS_OF, 2)[-1].rows) > 0
        assert asked == MOMENTS  # the last from which two pairs end, and those where they begin
    finally:
        path.unlink()


@pytest.mark.parametrize(
    ("as_of", "wanted"),
    [
        ("2026-05-01T00:00:00+00:00", ["2026-03-01", "2026-04-01", "2026-05-01"]),
        ("2026-05-01T08:00:00+08:00", ["2026-03-01", "2026-04-01", "2026-05-01"]),
        ("2026-05-09T13:00:00+00:00", ["2026-04-01", "2026-05-01", "2026-05-09"]),
    ],
)
def test_months_end_at_midnight(as_of: str, wanted: list[str]) -> None:
    found = month_ends(datetime.fromisoformat(as_of), 2, datetime(2020, 1, 1, tzinfo=UTC))
    assert [f"{one:%Y-%m-%d}" for one in found] == wanted


def test_less_history_than_a_month_says_when_purchases_begin() -> None:
    with pytest.raises(FeatureError, match="purchases begin on 2026-04-20"):
        month_ends(AS_OF, 12, datetime(2026, 4, 20, tzinfo=UTC))


def test_a_shop_without_purchases_says_so(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_batch(workspace, "members", [{"member_id": "anna"}])
    with pytest.raises(FeatureError, match="no purchase events"):
        lifecycle_flow(workspace, AS_OF)
