"""Chromium without a window, spoken to over two pipes in its own protocol: no library, no port.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Self

import pytest

_END = b"\0"


@dataclass(frozen=True)
class Seen:
    """What a page did when it was opened.

    asked: addresses beyond the page itself that it asked for. complaints: of the console, and what
    was thrown. overflow: pixels by which it is wider than the window. spilt: elements that reach
    over the right edge. small: least size of letters in the pictures shown, pixels.
    """

    asked: list[str]
    complaints: list[str]
    overflow: float
    spilt: list[str]
    small: float
    picture: Path


# A phone's window grows with what does not fit, so that its own width says nothing.
_OVERFLOW = "document.documentElement.scrollWidth - WIDTH"
# What scrolls inside its own box reaches over the edge on purpose.
_SPILT = """[...document.querySelectorAll('main *')]
  .filter(e => !e.closest('.scrolls') && e.getBoundingClientRect().right > WIDTH + 0.5)
  .map(e => e.outerHTML.slice(0, 80))"""
_SMALL = """Math.min(99, ...[...document.querySelectorAll('figure svg')]
  .filter(s => getComputedStyle(s).display != 'none')
  .map(s => 12 * s.getBoundingClientRect().width / s.viewBox.baseVal.width))"""


@dataclass
class Chromium:
    """A browser for as long as the block lasts."""

    process: subprocess.Popen[bytes]
    into: BinaryIO
    out: BufferedReader
    read: bytes = b""
    number: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, profile: Path) -> Self:
        """``pytest.skip`` where there is none."""
        program = shutil.which("chromium")
        if program is None:
            pytest.skip("no chromium on the path")
        to_browser, into = os.pipe()
        out, from_browser = os.pipe()
        command = (
            f'exec "$0" --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run '
            f"--disable-dev-shm-usage --remote-debugging-pipe --user-data-dir='{profile}' "
            f"3<&{to_browser} 4>&{from_browser}"
        )
        process = subprocess.Popen(
            ["bash", "-c", command, program],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        return cls(process, os.fdopen(into, "wb", 0), os.fdopen(out, "rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.into.close()
        self.process.terminate()
        self.process.wait(10)
        self.out.close()

    def tell(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what happens meanwhile is kept in ``heard``."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": given}
        if session is not None:
            message["sessionId"] = session
        self.into.write(json.dumps(message).encode() + _END)
        while (found := self._next()).get("id") != self.number:
            self.heard.append(found)
        assert "error" not in found, found
        result: dict[str, Any] = found["result"]
        return result

    def until(self, method: str, session: str) -> None:
        """Wait for something to have happened."""
        while not any(h.get("method") == method and h["sessionId"] == session for h in self.heard):
            self.heard.append(self._next())

    def _next(self) -> dict[str, Any]:
        while _END not in self.read:
            more = self.out.read1(1 << 16)
            assert more, "chromium ended"
            self.read += more
        text, _, self.read = self.read.partition(_END)
        message: dict[str, Any] = json.loads(text)
        return message

    def look(self, page: Path, width: int, picture: Path, *, dark: bool = False) -> Seen:
        """Open ``page`` in a window of ``width`` pixels; leave what is seen as ``picture``."""
        self.heard.clear()
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.tell(f"{domain}.enable", session)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.tell("Emulation.setDeviceMetricsOverride", session, **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("Emulation.setEmulatedMedia", session, features=[scheme])
        address = page.absolute().as_uri()
        self.tell("Page.navigate", session, url=address)
        self.until("Page.loadEventFired", session)
        overflow, spilt, small = (
            self._value(session, asked.replace("WIDTH", str(width)))
            for asked in (_OVERFLOW, _SPILT, _SMALL)
        )
        shot = self.tell("Page.captureScreenshot", session, captureBeyondViewport=True)
        picture.write_bytes(base64.b64decode(shot["data"]))
        events = [one for one in self.heard if one.get("sessionId") == session]
        self.tell("Target.closeTarget", targetId=target)
        return Seen(_asked(events, address), _complaints(events), overflow, spilt, small, picture)

    def _value(self, session: str, expression: str) -> Any:
        found = self.tell("Runtime.evaluate", session, expression=expression, returnByValue=True)
        return found["result"]["value"]


def _asked(events: list[dict[str, Any]], page: str) -> list[str]:
    sent = (
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    )
    return [address for address in sent if address != page]


def _complaints(events: list[dict[str, Any]]) -> list[str]:
    kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    return [json.dumps(e["params"])[:2000] for e in events if e["method"] in kinds]
