"""Reports as a browser shows them: on a desk, on a phone, in the dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dashboard.experiment_report import ExperimentReport, experiment_page
from dashboard.push_report import PushReport, push_page
from tests.dashboard.browser.looking import HEIGHT, Window

Opens = Callable[..., Window]
PHONE = 360
SIZES = {"desk": (1280, False), "phone": (PHONE, False), "dark": (800, True)}
# The least letters in the pictures shown, pixels.
_SMALL = """() => Math.min(99, ...[...document.querySelectorAll('figure svg')]
  .filter(s => getComputedStyle(s).display != 'none')
  .map(s => 12 * s.getBoundingClientRect().width / s.viewBox.baseVal.width))"""


@pytest.fixture
def opens(browser: Browser, tmp_path: Path) -> Iterator[Opens]:
    """Opens a document as a file of its own: ``opens(html, width)``."""
    contexts = []

    def open_file(html: str, width: int, *, dark: bool = False) -> Window:
        (tmp_path / "report.html").write_text(html, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT}, is_mobile=width <= PHONE,
            color_scheme="dark" if dark else "light",
        )  # fmt: skip
        contexts.append(context)
        window = Window(context.new_page(), tmp_path.as_uri())
        window.go("/report.html")
        return window

    yield open_file
    for context in contexts:
        context.close()


def wrong(window: Window, width: int) -> list[str]:
    """What is wrong with a report, which asks for nothing beyond itself. Axe sees it wide, in light
    and dark: what a phone shows is the same, closer together."""
    letters = window.page.evaluate(_SMALL)
    small = [] if letters >= 11 else [f"letters of {letters} pixels in a picture"]
    return [*window.faults(width, axe=width > PHONE), *window.complaints, *small]


@pytest.mark.parametrize("size", SIZES)
def test_the_report_of_an_experiment_can_be_read(
    size: str, told: ExperimentReport, opens: Opens, pictures: Path
) -> None:
    width, dark = SIZES[size]
    window = opens(experiment_page(told), width, dark=dark)
    assert wrong(window, width) == []
    window.picture(pictures, f"report-experiment-{size}")


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_the_report_of_a_push_can_be_read(
    size: str, pushed: PushReport, opens: Opens, pictures: Path
) -> None:
    width, _ = SIZES[size]
    offers = ({**pushed.offers[0], "offer_id": "x" * 500},)
    window = opens(push_page(replace(pushed, offers=offers)), width)
    assert wrong(window, width) == []
    window.picture(pictures, f"report-push-{size}")


def test_what_is_wrong_with_a_page_is_seen(opens: Opens) -> None:
    window = opens(
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" '
        'href="http://127.0.0.1:8/a.css"><main><p style="width: 900px">wide</p></main>'
        "<script>nothing.there()</script>",
        PHONE,
    )
    assert any("asked for http://127.0.0.1:8/a.css" in one for one in window.complaints)
    assert any("nothing is not defined" in one for one in window.complaints)
    wide, *others = window.faults(PHONE)
    assert "pixels too wide, ['<p style" in wide
    assert any("document-title" in one for one in others)
    assert {wide, *window.complaints} <= {*wrong(window, PHONE)}
