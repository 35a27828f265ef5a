"""Everything can be reached and sent without a mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from dashboard.areas import AREAS
from tests.dashboard.browser.conftest import Looks
from tests.dashboard.browser.house import House
from tests.dashboard.web.conftest import PASSWORD

pytestmark = pytest.mark.slow

_FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const outlined = style.outlineStyle != 'none' && parseFloat(style.outlineWidth) > 0;
  return [one.textContent.trim(), outlined];
}"""


def tabbed(page: Page) -> str:
    """The text of what the next tab reaches; that it has the focus must be seen."""
    page.keyboard.press("Tab")
    text, seen = page.evaluate(_FOCUSED)
    assert seen, f"the focus on {text!r} is not seen"
    return str(text)


def test_the_first_tab_skips_to_the_content_and_the_next_go_through_the_pages(
    house: House, looks: Looks
) -> None:
    page = looks(house.session("viewer")).go("/")
    assert tabbed(page) == "Skip to the content"
    assert tabbed(page) == "Pushwise"
    assert [tabbed(page) for _ in AREAS] == [area.name for area in AREAS]
    page.keyboard.press("Enter")
    expect(page.locator('nav a[aria-current="page"]')).to_have_text(AREAS[-1].name)
    tabbed(page)
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_one_logs_in_and_asks_by_enter_alone(looks: Looks) -> None:
    page = looks(None).go("/rules")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("viewer")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    find = page.get_by_label("Look for a feature or a value")
    find.focus()
    page.keyboard.type("orders_365d")
    page.keyboard.press("Enter")
    expect(page.locator("#features code").first).to_have_text("orders_365d")
