"""Feature health: what counts as missing, drifted, stale; and what is shown of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.build import build_features
from features.health import examined, stability
from features.quality import Limits, QualityError, QualityReport, quality
from features.quality_page import quality_page
from features.record import BuildRecord, view_file
from features.workspace import Workspace
from tests.features.given import AS_OF, ago, write_batch

EARLIER = AS_OF - timedelta(days=30)


def purchases(member: str, *days_ago: float) -> list[dict[str, object]]:
    return [
        {
            "event_id": f"{member}-{day}", "member_id": member, "type": "purchase",
            "occurred_at": ago(day), "unit_price": 10, "quantity": 1,
        }
        for day in days_ago
    ]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Forty buyers until 40 days ago; since then only the first four bought anything."""
    made = Workspace(tmp_path_factory.mktemp("quality"))
    rows = [row for n in range(40) for row in purchases(f"m{n:02d}", 40 + n % 5, 60, 90)]
    rows += [row for n in range(4) for row in purchases(f"m{n:02d}", 10)]
    rows += purchases("stranger", 70)
    write_batch(made, "events", rows)
    write_batch(made, "members", [{"member_id": f"m{n:02d}", "tier": "basic"} for n in range(40)])
    build_features(made, [EARLIER, AS_OF])
    return made


def judged(workspace: Workspace, *reference: datetime) -> QualityReport:
    return quality(workspace, AS_OF, reference, Limits())


def test_a_drop_in_buying_shows_as_drift_and_a_stale_feed(workspace: Workspace) -> None:
    report = judged(workspace, EARLIER)
    drifted = {finding.subject for finding in report.findings if "drifted" in finding.text}
    assert {"orders_30d", "spend_30d", "recency_days"} <= drifted
    assert "tier" not in drifted
    assert any(f.subject == "events" and "10.0 days old" in f.text for f in report.findings)


def test_what_counts_down_to_a_date_is_no_drift(tmp_path: Path) -> None:
    made = Workspace(tmp_path)
    expire = ago(-60)
    write_batch(made, "events", [row for n in range(40) for row in purchases(f"m{n}", 50, 3)])
    write_batch(made, "members", [{"member_id": f"m{n}", "points_balance": 5.0,
                                   "points_expire_at": expire} for n in range(40)])  # fmt: skip
    build_features(made, [EARLIER, AS_OF])
    report = judged(made, EARLIER)
    drift = {one.name: one.psi for one in report.features}
    assert drift["points_expire_days"] is None
    assert drift["points_balance"] == 0.0
    assert not any(one.subject == "points_expire_days" for one in report.findings)


def test_numbers_and_categories_are_described(workspace: Workspace) -> None:
    health = {one.name: one for one in judged(workspace).features}
    assert health["orders_life"].low == 1
    assert health["orders_life"].high == 4
    assert sum(health["orders_life"].histogram) == pytest.approx(1.0)
    assert health["tier"].values == pytest.approx({"basic": 40 / 41})
    assert health["points_balance"].missing == 1.0
    assert health["points_balance"].low is None


def test_without_a_reference_nothing_has_drifted(workspace: Workspace) -> None:
    report = judged(workspace)
    assert all(one.psi is None for one in report.features)
    assert not any("drifted" in finding.text for finding in report.findings)


def found(workspace: Workspace, limits: Limits) -> dict[str, str]:
    report = quality(workspace, AS_OF, (), limits)
    return {finding.subject: finding.text for finding in report.findings}


def test_coverage_counts_who_is_listed_acts_and_has_a_row_in_each_view(
    workspace: Workspace,
) -> None:
    covered = {one.name: (one.count, one.of) for one in judged(workspace).coverage}
    assert covered == {
        "listed": (40, 41), "active": (41, 41), "bought": (41, 41), "clicked": (0, 41),
        "decided": (0, 41), "purchases": (41, 41), "price": (41, 41), "membership": (41, 41),
        "lifecycle": (41, 41),
    }  # fmt: skip
    assert not any("members" in text for text in found(workspace, Limits()).values())


def test_members_who_come_in_after_a_build_are_no_more_than_all_there_are(tmp_path: Path) -> None:
    made = Workspace(tmp_path)
    write_batch(made, "events", purchases("a", 3))
    build_features(made, [AS_OF])
    late = purchases("b", 4) + purchases("c", 5)  # than the build, and not than its moment
    write_batch(made, "events", late, "late")
    covered = {one.name: (one.count, one.of, one.share) for one in judged(made).coverage}
    assert covered["bought"] == (3, 3, 1.0)
    assert covered["purchases"] == (1, 1, 1.0)


def test_coverage_below_its_limit_is_a_finding(workspace: Workspace) -> None:
    told = found(workspace, Limits(coverage={"listed": 0.99, "bought": 1.0}))
    assert told["listed"] == "40 of 41 members have a row in members (97.6%), wanted at least 99.0%"
    assert "bought" not in told


def test_a_view_without_everybody_is_a_finding_unless_it_may(tmp_path: Path) -> None:
    made = Workspace(tmp_path)
    write_batch(made, "events", purchases("a", 3) + purchases("b", 4))
    build_features(made, [AS_OF])
    file = view_file(made, "price", AS_OF)
    pd.read_parquet(file).iloc[:1].to_parquet(file)
    record = BuildRecord.load(made)
    built = record.moments[AS_OF]
    rows = {**built.rows, "price": 1}
    replace(record, moments={AS_OF: replace(built, rows=rows)}).save(made)
    assert found(made, Limits())["price"].startswith("1 of 2 members have a row in the view price")
    assert "price" not in found(made, Limits(coverage={"price": 0.5}))


def test_features_far_behind_the_events_are_a_finding(tmp_path: Path) -> None:
    made = Workspace(tmp_path)
    write_batch(made, "events", purchases("a", 3, -10))
    build_features(made, [AS_OF])
    report = judged(made)
    assert report.behind_days == 10
    stale = "the newest were built 10.0 days before the newest event, limit 3"
    assert found(made, Limits())["features"].startswith(stale)
    assert "features" not in found(made, Limits(age_days=11))
    build_features(made, [ago(-11)])
    assert "features" not in found(made, Limits())  # an old moment is looked at on purpose


def test_a_value_outside_its_range_and_too_many_missing_are_findings(workspace: Workspace) -> None:
    limits = Limits(ranges={"orders_life": (0, 3)}, missing={"points_balance": 0.5, "tier": 0.9})
    told = found(workspace, limits)
    assert told["orders_life"] == "from 1 to 4, wanted from 0 to 3"
    assert told["points_balance"] == "missing in 100% of the rows, limit 50%"
    assert "tier" not in told


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(ranges={"shoe_size": (0, 9)}), "sets a limit for 'shoe_size', which is no feature"),
        (Limits(missing={"shoe_size": 0.1}), "sets a limit for 'shoe_size', which is no feature"),
        (Limits(coverage={"rich": 0.1}), "names 'rich', wanted one of listed, active, bought"),
    ],
)
def test_a_limit_of_nothing_there_is_refused(
    workspace: Workspace, limits: Limits, message: str
) -> None:
    with pytest.raises(QualityError, match=re.escape(message)):
        quality(workspace, AS_OF, (), limits)


def test_then_and_now_share_their_bins() -> None:
    now, then = pd.Series([0.0, 1.0, np.nan, np.inf]), pd.Series([9.0, 10.0])
    health = examined("view", "x", "number", now, then)
    assert health.histogram == (0.25, 0.25, *(0.0,) * 8)
    assert health.histogram_before == (*(0.0,) * 9, 1.0)
    assert examined("view", "x", "number", now, then[:0]).histogram_before == ()


def test_a_value_that_is_not_finite_and_a_share_above_one_are_findings(tmp_path: Path) -> None:
    made = Workspace(tmp_path)
    write_batch(made, "events", purchases("a", 3) + purchases("b", 4))
    build_features(made, [AS_OF])
    file = view_file(made, "purchases", AS_OF)
    frame = pd.read_parquet(file)
    frame.loc[0, ["spend_life", "biggest_order_share"]] = [-np.inf, 1.5]
    frame.to_parquet(file)
    told = found(made, Limits())
    assert told["spend_life"] == "holds values that are not finite"
    assert "to 1.5, wanted from 0 to 1" in told["biggest_order_share"]


def test_a_moment_that_was_not_built_says_how_to_build_it(workspace: Workspace) -> None:
    with pytest.raises(QualityError, match="run `pushwise features build --as-of 2020"):
        quality(workspace, AS_OF.replace(year=2020), (), Limits())


def test_the_page_shows_every_feature_and_finding_and_needs_no_network(
    workspace: Workspace,
) -> None:
    report = judged(workspace, EARLIER)
    page = quality_page(report)
    for one in report.features:
        assert one.name in page
    assert page.count("⚠") >= len({finding.subject for finding in report.findings})
    assert 'class="before"' in page
    assert "Compared with moments built before: the features as of 2026-04-01." in page
    assert 'aria-label="drift by feature"' in page
    assert "have a row in the view lifecycle" in page
    assert not re.search(r"https?://|<script|src=", page)


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    made = Workspace(tmp_path)
    write_batch(made, "members", [{"member_id": "m", "tier": "<script>alert(1)</script>"}])
    write_batch(made, "events", purchases("m", 3))
    build_features(made, [AS_OF])
    assert "<script>" not in quality_page(judged(made))


SHARES = arrays(float, 6, elements=st.floats(0, 1)).filter(lambda a: a.sum() > 0.1)


@given(SHARES, SHARES)
def test_stability_is_never_negative_and_the_same_both_ways(
    one: np.ndarray, two: np.ndarray
) -> None:
    p, q = one / one.sum(), two / two.sum()
    assert stability(p, q) >= 0
    assert stability(p, q) == pytest.approx(stability(q, p))
    assert stability(p, p) == 0


def test_stability_of_a_worked_example() -> None:
    assert stability(np.array([0.5, 0.5]), np.array([0.6, 0.4])) == pytest.approx(0.0405, abs=1e-4)
