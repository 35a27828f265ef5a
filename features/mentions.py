"""What in a text of unknown form may be an id: members are looked for in rows that did not fit."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import suppress

_WORD = re.compile(r"[^\s,;|\"'{}\[\]():=<>]+")


def mentions(text: str) -> Iterator[str]:
    """Words of the text and what slashes part in them, fields of it as CSV, values of it as JSON;
    some more than once."""
    for word in _WORD.findall(text):
        yield word
        yield word.strip(".")
        if "/" in word:
            yield from word.split("/")
    with suppress(csv.Error):
        yield from (field for fields in csv.reader([text]) for field in fields)
    with suppress(ValueError, RecursionError):
        yield from _scalars(json.loads(text))


def _scalars(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _scalars(part)
    elif value is not None:
        yield str(value)
