"""A window of the browser: what is seen in it, and everything that goes wrong there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request

from dashboard.web.sessions import Session

HEIGHT = 900
WIDTHS = {"desk": 1280, "phone": 390}
# What scrolls inside its own box reaches over the edge on purpose.
_SPILT = """width => [...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scrolls, .skip, pre') && e.getBoundingClientRect().right > width + 0.5)
  .map(e => e.outerHTML.slice(0, 90))"""
# A phone's window grows with what does not fit, so that its own width says nothing.
_OVERFLOW = "width => document.documentElement.scrollWidth - width"
_WANTED = {"resultTypes": ["violations"]}  # where of what passes is not told: it takes long
_SEVERE = ("serious", "critical")


@dataclass
class Window:
    """complaints: errors and warnings of the console (what the content security policy refused is
    one), exceptions, and requests to other places, each with the page where it happened. session:
    of who looks; None: nobody is logged in."""

    page: Page
    origin: str
    session: Session | None = None
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self._complain(f"exception: {error}"))
        self.page.on("request", self._asked)

    def go(self, path: str) -> Page:
        """Open a page of ours, and wait until it has what it asks for by script."""
        answer = self.page.goto(self.origin + path, wait_until="load")
        if answer is not None and answer.status != 200:
            self._complain(f"status {answer.status}")
        return self.page

    def faults(self, width: int, *, axe: bool = True) -> list[str]:
        """What is wrong with the page at that width, beside ``complaints``. axe: ask it too."""
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        wide, spilt = (self.page.evaluate(asked, width) for asked in (_OVERFLOW, _SPILT))
        found = [f"{wide} pixels too wide, {spilt[:3]}"] if wide > 0 or spilt else []
        if axe:
            found += self._inaccessible()
        return [f"{self.here} at {width}: {fault}" for fault in found]

    def picture(self, folder: Path, name: str) -> None:
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)

    def _inaccessible(self) -> list[str]:
        """What axe finds serious or critical; its script is run from outside of the page, so that
        the page's own policy stays in force."""
        answer = Axe().run(self.page, options=_WANTED).response
        violations: Sequence[dict[str, Any]] = answer["violations"]
        return [
            f"{one['impact']} {one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
            for one in violations
            if one["impact"] in _SEVERE
        ]

    @property
    def here(self) -> str:
        return urlsplit(self.page.url).path

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complain(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self._complain(f"asked for {request.url}")

    def _complain(self, of: str) -> None:
        self.complaints.append(f"{self.here}: {of}")
