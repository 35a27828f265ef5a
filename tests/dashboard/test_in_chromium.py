"""Pages as a browser shows them: on a desk, on a phone, in the dark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.experiment_report import ExperimentReport, experiment_page
from dashboard.push_report import PushReport, push_page
from tests.dashboard.chromium import Chromium, Seen

WINDOWS = {"desk": (1280, False), "phone": (360, False), "dark": (800, True)}


def whole(seen: Seen) -> None:
    """Nothing is wrong with a page that was looked at."""
    assert seen.asked == []
    assert seen.complaints == []
    assert seen.overflow <= 0
    assert seen.spilt == []
    assert seen.small >= 11
    assert seen.picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", WINDOWS)
def test_the_report_of_an_experiment_can_be_read(
    name: str, told: ExperimentReport, chromium: Chromium, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    page.write_text(experiment_page(told), encoding="utf-8")
    width, dark = WINDOWS[name]
    whole(chromium.look(page, width, tmp_path / f"experiment-{name}.png", dark=dark))


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_the_report_of_a_push_can_be_read(
    name: str, pushed: PushReport, chromium: Chromium, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    offers = ({**pushed.offers[0], "offer_id": "x" * 500},)
    page.write_text(push_page(replace(pushed, offers=offers)), encoding="utf-8")
    width, dark = WINDOWS[name]
    whole(chromium.look(page, width, tmp_path / f"push-{name}.png", dark=dark))


def test_what_is_wrong_with_a_page_is_seen(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    page.write_text(
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" '
        'href="http://127.0.0.1:8/a.css"><main><p style="width: 900px">wide</p></main>'
        "<script>nothing.there()</script>",
        encoding="utf-8",
    )
    seen = chromium.look(page, 360, tmp_path / "wrong.png")
    assert seen.asked == ["http://127.0.0.1:8/a.css"]
    assert any("nothing is not defined" in one for one in seen.complaints)
    assert seen.overflow > 0
    assert seen.spilt
