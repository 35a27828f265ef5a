"""Feature health: what counts as missing, drifted, stale; and what is shown of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.build import build_features
from features.quality import Limits, QualityError, QualityReport, quality, stability
from features.quality_page import quality_page
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


def test_numbers_and_categories_are_described(workspace: Workspace) -> None:
    health = {one.name: one for one in judged(workspace).features}
    assert health["orders_life"].low == 3
    assert health["orders_life"].high == 4
    assert sum(health["orders_life"].histogram) == pytest.approx(1.0)
    assert health["tier"].values == {"basic": 1.0}
    assert health["points_balance"].missing == 1.0
    assert health["points_balance"].low is None


def test_without_a_reference_nothing_has_drifted(workspace: Workspace) -> None:
    report = judged(workspace)
    assert all(one.psi is None for one in report.features)
    assert not any("drifted" in finding.text for finding in report.findings)


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
