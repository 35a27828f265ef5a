"""Every page, in both languages, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.areas import AREAS
from tests.dashboard.browser.conftest import Looks
from tests.dashboard.browser.house import House
from tests.dashboard.browser.looking import WIDTHS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("language", ["en", "zh-Hant"])
def test_every_page_is_whole_at_both_widths(
    house: House, looks: Looks, pictures: Path, language: str
) -> None:
    """No complaint, no other place asked, nothing that axe finds serious, no scrolling sideways."""
    session = house.session("publisher")
    pages = house.pages(session, ["/"])
    assert {area.path for area in AREAS} <= set(pages)
    window = looks(session, language)
    faults: list[str] = []
    for route, path in pages.items():
        page = window.go(path)
        assert page.locator("html").get_attribute("lang") == language
        name = route.strip("/").translate(str.maketrans("/{}:", "-   ")).replace(" ", "") or "home"
        for size, width in WIDTHS.items():
            faults += window.faults(width)
            window.picture(pictures, f"{name}-{language}-{size}")
    assert faults == []


@pytest.mark.parametrize("language", ["en", "zh-Hant"])
def test_the_log_in_is_whole_too(looks: Looks, pictures: Path, language: str) -> None:
    window = looks(None, language)
    window.go("/login")
    faults = []
    for size, width in WIDTHS.items():
        faults += window.faults(width)
        window.picture(pictures, f"login-{language}-{size}")
    assert faults == []
