"""One dashboard over a furnished workspace, and Debian's Chromium to look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from dashboard.web.language import COOKIE as LANGUAGE
from dashboard.web.routing import COOKIE
from dashboard.web.sessions import Session
from features.workspace import Workspace
from tests.conftest import MarketWorkspace
from tests.dashboard.browser.demo import furnish
from tests.dashboard.browser.house import House, opened_house
from tests.dashboard.browser.looking import HEIGHT, WIDTHS, Window
from tests.made_once import made_once

Looks = Callable[..., Window]
Whole = Callable[[Window, str], None]
# Milliseconds that something may take to be seen: how fast pages are, a benchmark measures.
PATIENCE = 90_000
expect.set_options(timeout=PATIENCE)


# For the files of this folder: its pages go on looking at the log while it is open.
@pytest.fixture(scope="package")
def house(released: MarketWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    market, as_of = released.workspace.root, released.as_of
    made = made_once(tmp_path_factory, "furnished", partial(furnish, market, as_of))
    workspace = Workspace(tmp_path_factory.mktemp("house") / "workspace")
    shutil.copytree(made / "workspace", workspace.root)
    with opened_house(workspace) as house:
        yield house


# For one file: while Playwright runs, its event loop is this thread's, and nothing else in it may
# have one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on the path")
    # Chromium's sandbox does not start as root, as which CI runs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what was seen is kept."""
    wanted = os.environ.get("PUSHWISE_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def looks(browser: Browser, house: House) -> Iterator[Looks]:
    """A window of somebody: ``looks(session, language="en", width=1280)``; at the end of the test
    nothing may have gone wrong in it."""
    opened: list[Window] = []

    def window(
        session: Session | None, language: str = "en", width: int = WIDTHS["desk"]
    ) -> Window:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT}, reduced_motion="reduce"
        )
        cookies = {LANGUAGE: language} | ({COOKIE: session.token} if session else {})
        for name, value in cookies.items():
            context.add_cookies([{"name": name, "value": value, "url": house.origin}])
        context.set_default_timeout(PATIENCE)
        opened.append(Window(context.new_page(), house.origin, session))
        return opened[-1]

    yield window
    for one in opened:
        one.page.context.close()
    assert [complaint for one in opened for complaint in one.complaints] == []


@pytest.fixture
def whole(looks: Looks, pictures: Path) -> Whole:
    """Looks at a page that only a flow leads to: ``whole(window, name)``. Nothing may be wrong with
    it as it stands on a desk, nor as it is opened in Chinese on a phone."""
    phones: list[Window] = []

    def look(window: Window, name: str) -> None:
        faults = window.faults(WIDTHS["desk"])
        window.picture(pictures, f"flow-{name}-en-desk")
        if not phones:
            phones.append(looks(window.session, "zh-Hant", WIDTHS["phone"]))
        phones[0].go(window.here)
        faults += phones[0].faults(WIDTHS["phone"])
        phones[0].picture(pictures, f"flow-{name}-zh-Hant-phone")
        assert faults == []

    return look
