"""The page about health: alerts, pace, volume, lesser answers, and who may run the monitors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from decisions.pacing import MONEY, UNIT, Use
from features.insights.prepared import keep
from features.workspace import Workspace
from serving.monitors.alerts import Standing
from serving.monitors.document import document
from serving.monitors.pacing import Paced
from serving.monitors.result import Result
from serving.monitors.tally import Tally, hour_of
from tests.dashboard.web.conftest import House, Opens
from tests.serving.real_scorer import RealScorer

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'


def monitored(workspace: Workspace, failed: str = "") -> None:
    """A run that found one alert of each kind that a page has to show."""
    results = [
        Result("pacing", "spring money", "alert", "behind, it stays unspent", NOW, -0.3, 0.17),
        Result("feature_drift", HOSTILE, "alert", f"drifted {HOSTILE}", NOW, 0.4, 0.25),
        *(Result("feature_drift", f"f{n}", "ok", "fine", NOW) for n in range(60)),
        Result("calibration", "held_out", "warn", "1.2 times", NOW, 1.2, 1.25),
        Result("volume", "last_hour", "cannot_say", "too few", NOW),
    ]
    hours = {hour_of(NOW - timedelta(hours=hour)): 20 for hour in range(1, 200)}
    tally = Tally(
        decided=hours,
        sends=dict.fromkeys(hours, 12),
        degraded={hour_of(NOW - timedelta(hours=3)): {"features_late": 5, HOSTILE: 1}},
    )
    alerts = [Standing("pacing", "spring money", NOW - timedelta(hours=5), "behind", NOW)]
    paced = [Paced("spring", MONEY, Use(10 * UNIT, 90 * UNIT, 400 * UNIT), 1_000 * UNIT)]
    written = document(results, alerts, tally, paced, NOW)
    written["runbook_url"] = "https://git.example/main"
    written["webhook"] = {"set": bool(failed), "failed": failed}
    keep(workspace, "monitor", written, as_of=NOW, made_at=NOW)


@pytest.fixture
def watched(house: Opens) -> House:
    opened = house()
    monitored(opened.ground.workspace, "the webhook at hooks.example answered 500")
    return opened


def test_alerts_are_shown_with_since_when_why_and_what_to_do(watched: House) -> None:
    text = watched.reader("viewer").text("/health")
    assert "since 2026-05-01 07:00 UTC" in text
    assert "behind, it stays unspent" in text
    assert "See whether sends are reported: what nobody reports is given back." in text
    link = 'href="https://git.example/main/docs/runbook/BudgetOffPace.md"'
    assert link in watched.reader("viewer").get("/health").text
    assert "the webhook at hooks.example answered 500" in text
    assert "1 warning" in text
    assert "and 21 more" in text


def test_budgets_volume_and_lesser_answers_are_shown(watched: House) -> None:
    reader = watched.reader("viewer")
    text = reader.text("/health")
    for words in ("Pace of budgets", "spring, budget", "Volume of decisions", "1,000"):
        assert words in text
    assert "fresh features came too late" in text
    page = reader.get("/health").text
    for name in ("budget-pace.csv", "decision-volume.csv", "lesser-decisions.csv"):
        assert f'download="{name}"' in page
    assert 'id="pacing"' in page  # where alerts link to


def test_hostile_names_are_text(watched: House) -> None:
    page = watched.reader("viewer").get("/health").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_viewer_may_not_run_the_monitors_and_an_editor_may(watched: House) -> None:
    viewer = watched.reader("viewer")
    assert "Run the monitors" not in viewer.text("/health")
    assert viewer.send("/health/run").status_code == 403
    editor = watched.reader("editor")
    assert "Run the monitors" in editor.text("/health")
    answer = editor.send("/health/run")
    assert answer.url.path.startswith("/jobs/")
    job = watched.ground.work.newest("Run the monitors")
    assert job is not None
    assert (job.by, job.then) == ("editor", "/health")
    assert "under way" in editor.text("/health") or job.state != "running"
    watched.ground.work.cancel(job.job_id)


def test_the_piece_that_looks_again_comes_only_after_another_run(watched: House) -> None:
    reader = watched.reader("viewer")
    page = reader.get("/health/now", partial=True)
    assert 'hx-trigger="every 30s"' in page.text
    same = reader.get("/health/now?made=2026-05-01T12%3A00%3A00%2B00%3A00", partial=True)
    assert same.status_code == 204


def test_before_the_first_run_the_page_names_the_command(house: Opens) -> None:
    opened = house()
    text = opened.reader("viewer").text("/health")
    assert "The monitors have not run yet." in text
    assert f"pushwise monitor --workspace {opened.ground.workspace.root}" in text
    assert opened.reader("viewer").get("/health/now", partial=True).status_code == 204


def test_the_page_is_in_chinese_too(watched: House) -> None:
    text = watched.reader("viewer", "zh-TW").text("/health")
    for words in (
        "推播依計畫進度使用預算",
        "隨機保留的會員",
        "處理方式",
        "預算使用進度",
        "1 項警告",
    ):
        assert words in text


def test_a_scorer_beside_the_pages_tells_of_its_calls(served: House, scorer: RealScorer) -> None:
    scorer.decide("m01", "m02")
    scorer.parts.telemetry.refused("rate_limit")
    scorer.parts.telemetry.degraded("features_late")
    text = served.reader("viewer").text("/health")
    assert "Calls of this scorer since it started." in text
    assert "with less than everything: fresh features came too late 1" in text
    assert "refused: a key called more often than it may 1" in text
