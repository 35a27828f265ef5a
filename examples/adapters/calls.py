"""Calls of a scorer with nothing but the standard library, short of patience."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

_CHUNK = 1 << 20


class NoAnswerError(Exception):
    """The scorer cannot be reached, is too slow, or cannot answer now: ask again later."""


class RefusedError(Exception):
    """The scorer will answer this call the same way however often it is made."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Scorer:
    """address: such as http://127.0.0.1:8787. timeout: seconds; for a message that is being
    rendered a few tenths are much, for a file many seconds are little."""

    address: str
    key: str
    timeout: float = 0.5

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Raises ``NoAnswerError``, ``RefusedError``."""
        return self._json(Request(self._url(path, query or {}), headers=self._headers))  # noqa: S310

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises ``NoAnswerError``, ``RefusedError``."""
        headers = {**self._headers, "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        return self._json(Request(self._url(path, {}), content, headers))  # noqa: S310

    def download(self, path: str, query: Mapping[str, Any], to: IO[bytes]) -> None:
        """Raises ``NoAnswerError`` also where the answer ends too early, ``RefusedError``."""
        with _opened(Request(self._url(path, query), headers=self._headers), self.timeout) as got:  # noqa: S310
            try:
                while chunk := got.read(_CHUNK):
                    to.write(chunk)
            except (OSError, HTTPException) as error:
                raise NoAnswerError(str(error)) from error

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def _url(self, path: str, query: Mapping[str, Any]) -> str:
        # The operator gives the address: whoever gives another may call anything anyhow.
        return f"{self.address}{path}{'?' if query else ''}{urlencode(query)}"

    def _json(self, request: Request) -> dict[str, Any]:
        with _opened(request, self.timeout) as got:
            try:
                found: dict[str, Any] = json.loads(got.read())
            except (OSError, HTTPException, ValueError) as error:
                raise NoAnswerError(str(error)) from error
        return found


def _opened(request: Request, timeout: float) -> IO[bytes]:
    try:
        opened: IO[bytes] = urlopen(request, timeout=timeout)  # noqa: S310 - see Scorer._url
    except HTTPError as error:
        with error:
            if error.code >= 500 or error.code == 429:
                raise NoAnswerError(f"status {error.code}") from error
            raise RefusedError(error.code, _problem(error.read())) from error
    except (OSError, HTTPException) as error:
        raise NoAnswerError(str(error)) from error
    return opened


def _problem(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
