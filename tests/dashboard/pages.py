"""What a page holds, as tests read it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

HOSTILE = "</style><script>alert('x')</script>"


def shown(page: str) -> list[float]:
    """Every number that the page shows, unrounded."""
    return [float(value) for value in re.findall(r'<data value="([^"]*)">', page)]


def numbers(document: Any) -> Iterator[float]:
    """Every number of a JSON document."""
    if isinstance(document, Mapping):
        document = list(document.values())
    if isinstance(document, list | tuple):
        for one in document:
            yield from numbers(one)
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield float(document)


def held(page: str, name: str) -> Any:
    """A document that the page holds as a download."""
    link = re.search(rf'download="{name}" href="data:application/json;base64,([^"]*)"', page)
    assert link
    return json.loads(base64.b64decode(unescape(link[1])))


def asks_no_network(page: str) -> bool:
    return not re.search(r'(?:src|href)="(?!data:)|url\(|@import', page)
