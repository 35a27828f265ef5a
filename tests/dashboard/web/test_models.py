"""The pages about models and releases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.areas.models_card import blocks
from features.insights.prepared import keep
from features.workspace import Workspace
from serving.auth import Access
from serving.evaluations import CANCELLED, Evaluations
from serving.log import Log
from serving.parts import Parts
from serving.pointer import current
from serving.publishing import Publishing
from serving.telemetry import Telemetry
from serving.verify import ReleaseError
from serving.watch import Published
from tests.dashboard.web.conftest import House, Opens
from tests.dashboard.web.reading import text_of
from tests.serving.conftest import AS_OF, Bench, FakeDecider, FakeRelease
from training.cards import Card, Measurements, model_card
from training.comparison import Comparison
from training.gates import Check

HOSTILE = "<script>alert(1)</script>"


def version(name: str, number: str, **parts: Any) -> dict[str, Any]:
    """One as ``console.insight_models`` tells it."""
    figure = {
        "metric": "auc", "ours": 0.7 + int(number) / 100, "baselines": {"rfm": 0.6}, "error": 0.01,
        "higher_is_better": True, "champion": 0.7, "allowed": {},
    }  # fmt: skip
    tenths = [
        {"series": "measured", "x": n, "y": 1.0 / n, "low": 0.5 / n, "high": 2.0 / n}
        for n in range(1, 11)
    ]
    guide = [{"series": "no effect", "x": x, "y": 0.0, "low": None, "high": None} for x in (1, 10)]
    return {
        "name": name, "version": number, "run_id": "r", "aliases": [],
        "created_at": "2026-05-01T00:00:00+00:00", "promotions": [],
        "facts": {
            "data_window": f"until 2026-0{number}", "measured_from": "2026-04-01",
            "policy_value": "Would have earned 4.5 (2.8 to 6.1) per decision; more.",
            "note": HOSTILE,
        },
        "figures": [figure], "features": ["recency_days", f"only_in_{number}"], "card": "",
        "checks": [{"name": "a gate", "passed": number != "3", "found": HOSTILE}],
        "charts": {"uplift_by_tenth": [*tenths, *guide], "unknown": tenths}, **parts,
    }  # fmt: skip


@pytest.fixture
def known(house: Opens, bench: Bench, log: Log, tmp_path: Path) -> House:
    """A dashboard whose workspace has three versions of a response; release r1 is published."""
    bench.release("r1")
    publishing = Publishing(bench.workspace.releases, bench.trusted)
    publishing.publish("r1")
    decider = FakeDecider(FakeRelease())
    access, files = Access(log, "live"), tmp_path / "audiences"
    parts = Parts(decider, log, access, Telemetry(), files, publishing=publishing)
    found = [version("response", n) for n in ("3", "2", "1")]
    found[-1]["aliases"] = ["champion"]
    document = {"versions": found, "left_out": 4}
    keep(bench.workspace, "models", document, as_of=AS_OF, made_at=AS_OF)
    return house(bench.workspace, parts)


def test_an_empty_workspace_says_what_to_do_and_an_editor_may_start_it(house: Opens) -> None:
    opened = house()
    text = opened.reader("viewer").text("/models")
    assert "pushwise release build --publish" in text
    assert "pushwise insights refresh --only models" in text
    assert "/models/refresh" not in opened.reader("viewer").get("/models").text
    assert 'action="/models/refresh"' in opened.reader("editor").get("/models").text


def test_every_version_is_listed_with_its_deciding_figure_and_gates(known: House) -> None:
    text = known.reader("viewer").text("/models")
    assert "Response to a push" in text
    assert "version 3 … challenger" not in text
    assert "✓ champion" in text
    assert "✗ 1 not passed" in text
    assert "4 older ones are not shown" in text
    assert "✓ now published" in text


def test_a_version_shows_figures_with_intervals_and_charts_as_data(known: House) -> None:
    page = known.reader("viewer").get("/models/versions/response/2").text
    text = text_of(page)
    assert "+0.0200 ( +0.000400 to +0.0396 )" in text  # 0.02 ± 1.96 · 0.01
    assert "Policy value per decision +4.50 +2.80 to +6.10" in text
    assert 'download="response-2-uplift_by_tenth.csv"' in page
    assert 'download="response-2-unknown.csv"' in page
    assert HOSTILE in text
    assert HOSTILE not in page


def test_versions_side_by_side_tell_what_differs(known: House) -> None:
    path = "/models/compare?version=response:2&version=response:1"
    text = known.reader("viewer", "en").text(path)
    assert "Data window until 2026-02 until 2026-01 ≠ differs" in text
    assert "Measured from 2026-04-01 2026-04-01 = same" in text
    assert "0.720 ✓" in text
    assert "only_in_2" in text
    assert "All of them read 1 features alike" in text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("version=response:1", 422),
        ("version=response:1&version=response:9", 404),
        ("version=response:1&version=x", 404),
    ],
)
def test_a_comparison_that_cannot_be_made_says_why(known: House, query: str, status: int) -> None:
    assert known.reader("viewer").get(f"/models/compare?{query}").status_code == status


def test_a_publisher_publishes_and_rolls_back_and_nobody_else_may(
    known: House, bench: Bench
) -> None:
    bench.release("r2")
    for role in ("viewer", "editor"):
        reader = known.reader(role)
        assert "Publish" not in reader.text("/models").replace("✓ now published", "")
        assert reader.send("/models/releases/r2/publish").status_code == 403
        assert reader.send("/models/rollback").status_code == 403
    assert current(bench.workspace.releases) == "r1"
    reader = known.reader("publisher")
    assert "Published r2." in text_of(reader.send("/models/releases/r2/publish").text)
    assert current(bench.workspace.releases) == "r2"
    assert "Went back to r1." in text_of(reader.send("/models/rollback").text)
    assert current(bench.workspace.releases) == "r1"
    assert reader.send("/models/rollback").status_code == 409


def test_a_release_that_was_changed_is_refused_with_the_reason(known: House, bench: Bench) -> None:
    (bench.release("r2") / "offers.json").write_text("[]")
    reader = known.reader("publisher")
    answer = reader.send("/models/releases/r2/publish")
    assert answer.status_code == 409
    assert "offers.json" in text_of(answer.text)
    assert str(bench.workspace.root) not in answer.text
    assert reader.send("/models/releases/r9/publish").status_code == 404


def test_a_release_that_the_scorer_refuses_is_told_with_the_reason(
    house: Opens, bench: Bench, log: Log, tmp_path: Path
) -> None:
    def load(folder: Path, trusted: Mapping[str, object]) -> FakeRelease:
        if folder.name == "r2":
            raise ReleaseError(f"{folder}: golden request 3 is answered otherwise")
        return FakeRelease()

    for release_id in ("r1", "r2"):
        bench.release(release_id)
    publishing = Publishing(bench.workspace.releases, bench.trusted)
    publishing.publish("r1")
    published = Published(bench.workspace.releases, bench.trusted, Telemetry(), load)
    files = tmp_path / "audiences"
    parts = Parts(published, log, Access(log, "live"), Telemetry(), files, publishing=publishing)
    opened = house(bench.workspace, parts)
    publishing.publish("r2")
    published.look()
    page = opened.reader("viewer").get("/models").text
    assert "golden request 3 is answered otherwise" in text_of(page)
    assert str(bench.workspace.root / "releases") not in page


def test_releases_side_by_side_tell_which_files_differ(known: House, bench: Bench) -> None:
    bench.release("r2")
    text = known.reader("viewer").text("/models/releases?release=r1&release=r2")
    assert "None: they hold the same." in text
    assert "Prior of the response version 1 version 1 = same" in text
    page = known.reader("viewer").get("/models/releases?release=r2&release=r9")
    assert page.status_code == 404


def test_an_evaluation_is_asked_for_shown_and_cancelled(known: House, bench: Bench) -> None:
    assert known.reader("viewer").send("/models/evaluate").status_code == 403
    reader = known.reader("editor")
    assert reader.send("/models/evaluate").status_code == 422
    page = reader.send("/models/evaluate", {"release.r1": "yes", "objective": "margin"})
    assert "waiting" in text_of(page.text)
    [job] = Evaluations(known.ground.log).newest()
    assert job.asked.policies[0].kind == "release"
    reader.send(f"/models/evaluations/{job.evaluation_id}/cancel")
    assert CANCELLED in reader.text(f"/models/evaluations/{job.evaluation_id}")
    assert Evaluations(known.ground.log).take(datetime.now(UTC)) is None


def test_an_evaluation_that_is_done_shows_values_and_what_cannot_be_said(
    known: House, bench: Bench
) -> None:
    reader = known.reader("editor")
    reader.send("/models/evaluate", {"release.r1": "yes"})
    jobs = Evaluations(known.ground.log)
    job = jobs.take(datetime.now(UTC))
    assert job is not None
    value = {"dr": {"mean": 2.0, "low": 1.0, "high": 3.0}}
    told: dict[str, Any] = {"warnings": [], "note": "", "above_reference": None}
    report = {
        "objective": "margin", "against": "logged", "decisions": 5, "members": 5, "pushes": 1,
        "first": AS_OF.isoformat(), "last": AS_OF.isoformat(),
        "policies": [
            {"name": "logged", "value": value, "reasons": [], **told},
            {"name": "random", "value": None, "reasons": [HOSTILE], **told},
        ],
    }  # fmt: skip
    jobs.finish(job.evaluation_id, report, datetime.now(UTC))
    page = reader.get(f"/models/evaluations/{job.evaluation_id}").text
    text = text_of(page)
    assert "what happened 2.00 ( +1.00 to +3.00 )" in text
    assert "⚠ cannot say" in text
    assert HOSTILE in text
    assert HOSTILE not in page
    assert 'download="ev_' in page
    piece = reader.get(f"/models/evaluations/{job.evaluation_id}", partial=True).text
    assert "<html" not in piece


def test_the_pages_speak_chinese(known: House) -> None:
    reader = known.reader("viewer", "zh-TW")
    assert "模型與發行版本" in reader.text("/models")
    assert "各十分位會員的增益" in reader.text("/models/versions/response/1")


def test_a_model_card_becomes_headings_tables_and_lists() -> None:
    comparison = Comparison("auc", 0.8, {"rfm": 0.6})
    found = Measurements(
        {"rounds": 3}, {"data|window": "2011"}, (comparison,), (Check("a", False, "b"),)
    )
    parts = blocks(model_card("propensity", Card("Who buys.", ("Not for x.",)), found))
    assert parts[0].text == "Who buys."
    headings = [one.text for one in parts if one.kind == "heading"]
    assert headings == ["Trained on", "Measured on the later period", "Gates", "Limits", "Settings"]
    trained, _, gates, _ = [one for one in parts if one.kind == "table"]
    assert trained.lines == (("what", "value"), ("data|window", "2011"))
    assert gates.lines[1] == ("a", "no", "b")
    assert [one.lines for one in parts if one.kind == "list"] == [(("Not for x.",),)]


def test_a_damaged_document_is_told_with_how_to_mend_it(house: Opens, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    workspace.insights.mkdir(parents=True)
    (workspace.insights / "models.json").write_text("{")
    answer = house(workspace).reader("viewer").get("/models")
    assert answer.status_code == 422
    assert "insights refresh --only models" in text_of(answer.text)
