"""Every page, in both languages, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.areas import AREAS
from tests.dashboard.browser.conftest import Looks
from tests.dashboard.browser.house import House
from tests.dashboard.browser.looking import WIDTHS, Window

pytestmark = pytest.mark.slow


# Axe takes seconds where a table is long. It sees every page in each language and at each width, if
# not in each language at each width: words do not change where an element stands, nor its colours.
AXE = {("en", "desk"), ("zh-Hant", "phone")}


def faults(window: Window, path: str, language: str, folder: Path, name: str) -> list[str]:
    """What is wrong with the page there, of which pictures are left in the folder."""
    page = window.go(path)
    assert page.locator("html").get_attribute("lang") == language
    found: list[str] = []
    for size, width in WIDTHS.items():
        found += window.faults(width, axe=(language, size) in AXE)
        window.picture(folder, f"{name}-{language}-{size}")
    return found


@pytest.mark.parametrize("language", ["en", "zh-Hant"])
def test_the_log_in_is_whole_at_both_widths(looks: Looks, pictures: Path, language: str) -> None:
    window = looks(None, language)
    assert faults(window, "/login", language, pictures, "login") == []


def test_every_page_is_whole_in_both_languages_and_at_both_widths(
    house: House, looks: Looks, pictures: Path
) -> None:
    """No complaint, no other place asked, nothing that axe finds serious, no scrolling sideways."""
    session = house.session("publisher")
    pages = house.pages(session, ["/"])
    assert {area.path for area in AREAS} <= set(pages)
    windows = {language: looks(session, language) for language in ("en", "zh-Hant")}
    found = [
        fault
        for route, path in pages.items()
        for language, window in windows.items()
        for fault in faults(window, path, language, pictures, _named(route))
    ]
    assert found == []


def _named(route: str) -> str:
    return route.strip("/").translate(str.maketrans("/{}:", "-   ")).replace(" ", "") or "home"
