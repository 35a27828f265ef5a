"""Growing demand on the page about segments: what was prepared, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.demand_findings import DemandReport, Evidence, Finding, Growth, Need, Remedy
from features.insights.prepared import keep
from features.workspace import Workspace
from tests.dashboard.web.conftest import Opens
from tests.features.given import AS_OF, ago

HOSTILE = "<script>alert(1)</script>"
MEMBER = "member=007"
FINDING = Finding(
    1,
    {"lifecycle": "loyal", "value_tier": "none"},
    Need(HOSTILE, 3, 30.0, 34.5),
    Evidence(100, 20, 80, 70, 5, 60, 5, 0, 0.7, 0.1),
    Growth(2.1, 1.6, 2.8, 0.0001, 0.004),
    Remedy(30.0, 34.5, 0, 0, 4, 2, 1, 2, 19.0, 20.0, 2, 6.75, 123.0),
    175.0,
    (MEMBER,),
)
REPORT = DemandReport(
    AS_OF, ago(56), ago(28), 28, ("lifecycle", "value_tier"), "", "", 1.2, 0.1, 40, 3, 7, 1,
    (FINDING,),
)  # fmt: skip


def prepared(root: Path, report: DemandReport) -> Workspace:
    workspace = Workspace(root)
    made_at = datetime(2026, 5, 2, tzinfo=UTC)
    keep(workspace, "demand", report.to_json(), as_of=AS_OF, made_at=made_at)
    return workspace


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return prepared(tmp_path_factory.mktemp("demand"), REPORT)


def test_findings_are_shown_with_their_evidence(house: Opens, counted: Workspace) -> None:
    text = house(counted).reader("viewer").text("/segments")
    for part in ("30.00–34.50: loyal · no tier – 80 members want it, 20 before", "adjusted p",
                 "no item at that price 60", "All of it as CSV"):  # fmt: skip
        assert part in text


def test_names_are_text_and_members_are_in_no_address(house: Opens, counted: Workspace) -> None:
    page = house(counted).reader("viewer").get("/segments").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert f">{MEMBER}</a>" in page
    assert "/members/" in page
    assert f"/members/{MEMBER}" not in page
    assert MEMBER not in page.replace(f">{MEMBER}</a>", "")


def test_it_speaks_chinese(house: Opens, counted: Workspace) -> None:
    text = house(counted).reader("viewer", "zh-TW").text("/segments")
    assert "目前 80 位會員想要，先前 20 位" in text
    assert "忠誠" in text


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (replace(REPORT, cannot_say="events begin too late", findings=()), "events begin too late"),
        (replace(REPORT, findings=(), found=0), "Nothing grows that the catalogue does not serve"),
        (
            replace(REPORT, unmet_cannot_say="purchases alone", mean_unmet=None),
            "Who goes without cannot be told",
        ),
    ],
)
def test_what_is_not_there_is_said(
    house: Opens, tmp_path: Path, report: DemandReport, told: str
) -> None:
    assert told in house(prepared(tmp_path / "ws", report)).reader("viewer").text("/segments")


def test_before_it_is_prepared_the_command_is_shown(house: Opens) -> None:
    assert "--only demand" in house().reader("viewer").text("/segments")
