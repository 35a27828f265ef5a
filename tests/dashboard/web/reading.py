"""Reads pages as a browser without script does: links, forms, text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from httpx2 import Response
from starlette.testclient import TestClient

_CSRF = re.compile(r'<meta name="csrf" content="([0-9a-f]+)">')


class _Text(HTMLParser):
    """Text that is shown; numbers and names without their marks."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skipped += tag in ("script", "style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.skipped -= tag in ("script", "style", "title")

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.parts.append(data)


def text_of(page: str) -> str:
    """What a reader sees of a page, with single spaces."""
    reader = _Text()
    reader.feed(page)
    return " ".join(" ".join(reader.parts).split())


class Reader:
    """Somebody with a browser; ``get`` and ``send`` follow redirects and keep cookies."""

    def __init__(self, client: TestClient, language: str) -> None:
        self.client = client
        self.client.headers["accept-language"] = language
        self.csrf = ""

    def log_in(self, name: str, password: str) -> Response:
        answer = self.client.post("/login", data={"name": name, "password": password})
        self._note(answer)
        return answer

    def get(self, path: str, *, partial: bool = False) -> Response:
        headers = {"hx-request": "true"} if partial else {}
        answer = self.client.get(path, headers=headers)
        self._note(answer)
        return answer

    def text(self, path: str) -> str:
        """What is seen of a page that is there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return text_of(answer.text)

    def send(
        self, path: str, fields: Mapping[str, str] | None = None, *, partial: bool = False
    ) -> Response:
        """Send a form with the token that the last page held."""
        headers = {"hx-request": "true"} if partial else {}
        data = {"csrf": self.csrf, **(fields or {})}
        answer = self.client.post(path, data=data, headers=headers)
        self._note(answer)
        return answer

    def _note(self, answer: Response) -> None:
        found = _CSRF.search(answer.text)
        if found:
            self.csrf = found[1]
