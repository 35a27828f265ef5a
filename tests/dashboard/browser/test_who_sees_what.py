"""A viewer finds nothing that changes anything, and hostile names are text to everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.dashboard.browser.conftest import Looks
from tests.dashboard.browser.demo import HOSTILE, PICTURE, SCRIPT, TURNED
from tests.dashboard.browser.house import House

pytestmark = pytest.mark.slow

_FORMS = (
    "() => [...document.querySelectorAll('form[method=post]')].map(f => new URL(f.action).pathname)"
)
_HARMLESS = {"/logout", "/language", "/rules", "/members"}  # they leave, or ask without an address


def test_a_viewer_finds_no_form_that_changes_anything(house: House, looks: Looks) -> None:
    session = house.session("viewer")
    window = looks(session)
    found = {
        action: path
        for path in house.pages(session, ["/"]).values()
        for action in window.go(path).evaluate(_FORMS)
    }
    assert set(found) <= _HARMLESS


def test_hostile_names_are_shown_as_text(house: House, looks: Looks) -> None:
    window = looks(house.session("editor"), width=390)
    page = window.go("/pushes")
    page.get_by_role("link", name=f"night {SCRIPT}").click()
    title = page.title()
    for name in HOSTILE:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    assert page.title() == title
    assert SCRIPT in title
    assert window.faults(390) == []
    page.goto(f"{window.origin}/data/quarantine/events")
    expect(page.get_by_text(SCRIPT).first).to_be_visible()
    assert page.locator("img").count() == 0
    assert window.faults(390) == []


def test_a_hostile_rule_and_a_hostile_member_are_shown_as_text(house: House, looks: Looks) -> None:
    house.decide(*HOSTILE[:3])
    session = house.session("viewer")
    window = looks(session, width=390)
    page = window.go("/rules")
    for rule in (f'lifecycle == "{SCRIPT}"', PICTURE, TURNED):
        page.locator("#rule").fill(rule)
        page.locator("form:has(#rule) button").click()
        expect(page.locator("#answer [role=alert] code")).to_have_text(rule)
    assert page.title() == "Rules · Pushwise"
    for member in HOSTILE[:3]:
        page = window.go("/members")
        page.get_by_label("Member's id").fill(member)
        page.get_by_role("button", name="Look up").click()
        expect(page.get_by_role("heading", name=member)).to_be_visible()
        assert page.title() == "Member · Pushwise"
        assert page.locator("img").count() == 0
    assert window.faults(390) == []
