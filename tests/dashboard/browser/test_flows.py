"""What people come for, by clicking: a plan and its file, a rule and its verdict, and the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from serving.release import Release
from tests.dashboard.browser.conftest import Looks, Whole
from tests.dashboard.browser.demo import OVERDUE
from tests.dashboard.browser.house import House
from tests.dashboard.browser.looking import WIDTHS

pytestmark = pytest.mark.slow

LONG = 120_000  # milliseconds: what is planned or read takes a process of its own


def agree(page: Page) -> None:
    """Say yes to what is asked before something is sent."""
    page.on("dialog", lambda dialog: dialog.accept())


def test_a_push_is_planned_and_its_list_downloaded(
    house: House, looks: Looks, whole: Whole
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
    whole(window, "plan")
    members = page.locator(".figures b").first.inner_text().replace(",", "")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    header, *rows = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert header.startswith("member_id,") or ",member_id" in header
    assert 0 < len(rows) == int(members)
    page.get_by_role("link", name="All members").click()
    expect(page.locator("tbody tr").first).to_be_visible()
    whole(window, "plan-members")
    window.go(f"/pushes/{quote(push)}/plan")
    expect(page.locator("#size")).to_be_visible()
    whole(window, "plan-sliders")


def test_a_rule_is_judged(house: House, looks: Looks, pictures: Path) -> None:
    session = house.session("viewer")
    for language, size in (("en", "desk"), ("zh-Hant", "phone")):
        window = looks(session, language, WIDTHS[size])
        page = window.go("/rules")
        page.locator("#rule").fill("orders_365d >= 1")
        page.locator("form:has(#rule) button").click()
        verdict = page.locator("#answer .verdict").first
        expect(verdict).to_be_visible(timeout=LONG)
        assert len(verdict.inner_text()) > 20
        expect(page.locator("#answer figure svg").first).to_be_visible()
        assert window.faults(WIDTHS[size]) == []
        window.picture(pictures, f"flow-rule-{language}-{size}")


def test_a_member_is_looked_up_and_why_they_got_this_offer(
    house: House, looks: Looks, whole: Whole
) -> None:
    parts = house.ground.parts
    assert parts is not None
    release = cast("Release", parts.decider.release)
    member = bytes(release.snapshot.member_ids[0]).decode()
    house.decide(member)
    window = looks(house.session("viewer"))
    page = window.go("/members")
    page.get_by_label("Member's id").fill(member)
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("heading", name=f"Member {member}", exact=True)).to_be_visible()
    assert member not in page.url
    whole(window, "member")
    page.get_by_role("link", name=re.compile("^Why")).first.click()
    expect(page.locator("main table").first).to_be_visible(timeout=LONG)
    assert member not in page.url
    whole(window, "why")


def test_an_experiment_is_stopped_and_an_arm_promoted(
    house: House, looks: Looks, whole: Whole
) -> None:
    window = looks(house.session("publisher"))
    page = window.go("/experiments")
    agree(page)
    page.get_by_role("link", name="spring-test").click()
    expect(page.get_by_role("heading", name="What it changed")).to_be_visible(timeout=LONG)
    page.locator("#why-stop").fill("its last look has come")
    page.get_by_role("button", name="Stop", exact=True).click()
    # The choice comes once the experiment was read as it was stopped.
    page.get_by_role("radio", name=re.compile("challenger")).check(timeout=LONG)
    page.get_by_label("Decide even against the verdict").check()
    page.locator("#why-promote").fill("it sells more")
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("decided for challenger", timeout=LONG)
    expect(page.locator(".verdict", has_text="it sells more")).to_be_visible()
    expect(page.get_by_role("heading", name="What it changed")).to_be_visible(timeout=LONG)
    whole(window, "promoted")


def test_releases_are_compared_and_one_is_rolled_back(
    house: House, looks: Looks, pictures: Path
) -> None:
    window = looks(house.session("publisher"))
    page = window.go("/models")
    agree(page)
    for box in page.get_by_role("checkbox", name=re.compile("^Compare ")).all()[:2]:
        box.check()
    page.get_by_role("button", name="Compare the chosen releases").click()
    expect(page.locator("main table").first).to_be_visible()
    assert window.faults(WIDTHS["desk"]) == []
    window.go("/models")
    back = page.get_by_role("button", name=re.compile("^Roll back to "))
    release = back.inner_text().removeprefix("Roll back to ")
    back.click()
    expect(page.get_by_role("status")).to_contain_text(f"Went back to {release}")
    window.picture(pictures, "flow-rolled-back")


def test_quarantined_rows_are_taken_again(
    house: House, looks: Looks, pictures: Path, whole: Whole
) -> None:
    window = looks(house.session("editor"))
    page = window.go("/data")
    page.locator('a[href="/data/quarantine/events"]').first.click()
    window.picture(pictures, "flow-quarantine")
    page.get_by_label(re.compile("^Time zone")).fill("Asia/Taipei")
    page.get_by_role("button", name="Take them again").click()
    done = page.get_by_role("link", name="See what came of it")
    expect(done).to_be_visible(timeout=LONG)
    whole(window, "work")
    done.click()
    accepted = page.locator(".figures li", has_text="accepted").locator("b")
    expect(accepted).to_have_text(str(OVERDUE))
    window.picture(pictures, "flow-redriven")
