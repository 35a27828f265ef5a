"""What people come for, by clicking: a plan and its file, a rule and its verdict, and the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Looks
from tests.dashboard.browser.demo import OVERDUE
from tests.dashboard.browser.house import House

pytestmark = pytest.mark.slow

LONG = 120_000  # milliseconds: what is planned or read takes a process of its own


def agree(page: Page) -> None:
    """Say yes to what is asked before something is sent."""
    page.on("dialog", lambda dialog: dialog.accept())


def test_a_push_is_planned_and_its_list_downloaded(
    house: House, looks: Looks, pictures: Path
) -> None:
    parts = house.ground.parts
    assert parts is not None
    window = looks(house.session("editor"))
    page = window.go("/pushes")
    push = next(one for one in parts.decider.release.pushes if "night" not in one)
    page.get_by_role("link", name=push, exact=True).click()
    page.get_by_role("link", name="Plan it", exact=True).click()
    page.get_by_role("button", name="Plan this").click()
    expect(page.get_by_role("heading", name="Download the list")).to_be_visible(timeout=LONG)
    window.picture(pictures, "flow-plan")
    members = page.locator(".figures b").first.inner_text().replace(",", "")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    header, *rows = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert header.startswith("member_id,") or ",member_id" in header
    assert 0 < len(rows) == int(members)


def test_a_rule_is_judged(house: House, looks: Looks, pictures: Path) -> None:
    window = looks(house.session("viewer"))
    page = window.go("/rules")
    page.get_by_label("Rule", exact=True).fill("orders_365d >= 1")
    page.get_by_role("button", name="Judge the rule").click()
    expect(page.get_by_role("heading", name="What it earns")).to_be_visible(timeout=LONG)
    verdict = page.locator("#answer .verdict")
    expect(verdict).to_be_visible()
    assert len(verdict.inner_text()) > 20
    expect(page.locator("#answer figure svg").first).to_be_visible()
    window.picture(pictures, "flow-rule")


def test_an_experiment_is_stopped_and_an_arm_promoted(
    house: House, looks: Looks, pictures: Path
) -> None:
    window = looks(house.session("publisher"))
    page = window.go("/experiments")
    agree(page)
    page.get_by_role("link", name="spring-test").click()
    expect(page.get_by_role("heading", name="What it changed")).to_be_visible(timeout=LONG)
    window.picture(pictures, "flow-experiment")
    page.locator("#why-stop").fill("its last look has come")
    page.get_by_role("button", name="Stop", exact=True).click()
    # A verdict wants the results of the experiment as it was stopped.
    expect(page.get_by_text("New results are being read")).to_have_count(0, timeout=LONG)
    page.get_by_role("radio", name=re.compile("challenger")).check()
    page.get_by_label("Decide even against the verdict").check()
    page.locator("#why-promote").fill("it sells more")
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("decided for challenger", timeout=LONG)
    expect(page.get_by_text("it sells more")).to_be_visible()
    window.picture(pictures, "flow-promoted")


def test_a_release_is_rolled_back(house: House, looks: Looks, pictures: Path) -> None:
    window = looks(house.session("publisher"))
    page = window.go("/models")
    agree(page)
    back = page.get_by_role("button", name=re.compile("^Roll back to "))
    release = back.inner_text().removeprefix("Roll back to ")
    back.click()
    expect(page.get_by_role("status")).to_contain_text(f"Went back to {release}")
    window.picture(pictures, "flow-rolled-back")


def test_quarantined_rows_are_taken_again(house: House, looks: Looks, pictures: Path) -> None:
    window = looks(house.session("editor"))
    page = window.go("/data")
    page.locator('a[href="/data/quarantine/events"]').first.click()
    window.picture(pictures, "flow-quarantine")
    page.get_by_label(re.compile("^Time zone")).fill("Asia/Taipei")
    page.get_by_role("button", name="Take them again").click()
    page.get_by_role("link", name="See what came of it").click(timeout=LONG)
    accepted = page.locator(".figures li", has_text="accepted").locator("b")
    expect(accepted).to_have_text(str(OVERDUE))
    window.picture(pictures, "flow-redriven")
