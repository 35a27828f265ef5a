"""How deep a JSON text nests and how many values it lists, counted while it arrives.

A parser that meets deep nesting recurses, and one that meets a million values makes a million
objects: both are told here before any parser sees the text. What is not JSON passes; the parser
refuses it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

MAX_DEPTH = 16  # a body of ours has five levels
MAX_VALUES = 50_000  # commas: a thousand members with 32 values of context each have 34,000

_SLICE = 1 << 16  # bytes looked at together
_QUOTE, _COMMA = ord('"'), ord(",")
_KEPT = b'[]{}",'
_OTHERS = bytes(byte for byte in range(256) if byte not in _KEPT)
_STEP = np.zeros(256, dtype=np.int64)
_STEP[list(b"[{")] = 1
_STEP[list(b"]}")] = -1

Excess = Literal["deep", "many"]


class JsonShape:
    """Counts over a text that grows.

    Brackets and commas are counted first wherever they stand, which takes no time. Only a text with
    many of them is looked at closely, to leave out what stands in strings; each part of it once.
    """

    __slots__ = ("_close", "_commas", "_depth", "_done", "_open_string", "_openers")

    def __init__(self) -> None:
        self._done = 0  # bytes counted
        self._openers = self._commas = 0
        self._close = False
        self._open_string = False  # whether a string is open after them
        self._depth = 0

    def exceeds(self, text: bytes | bytearray) -> Excess | None:
        """What is too much in ``text``, which starts with what was given before."""
        if not self._close:
            part = text[self._done :] if self._done else text
            self._openers += part.count(b"[") + part.count(b"{")
            self._commas += part.count(b",")
            if self._openers <= MAX_DEPTH and self._commas <= MAX_VALUES:
                self._done = len(text)
                return None
            self._close, self._done, self._commas = True, 0, 0
        while self._done < len(text):
            part = _whole(bytes(text[self._done : self._done + _SLICE]))
            if not part:
                break
            self._done += len(part)
            excess = self._looked_at(part)
            if excess:
                return excess
        return None

    def _looked_at(self, part: bytes) -> Excess | None:
        marks = _marks(part)
        if not len(marks):
            return None
        outside = (np.cumsum(marks == _QUOTE) + self._open_string) % 2 == 0
        depth = self._depth + np.cumsum(np.where(outside, _STEP[marks], 0))
        self._commas += int(np.count_nonzero(outside & (marks == _COMMA)))
        self._open_string, self._depth = not outside[-1], int(depth[-1])
        if depth.max() > MAX_DEPTH:
            return "deep"
        return "many" if self._commas > MAX_VALUES else None


def _whole(part: bytes) -> bytes:
    """``part`` without a last backslash whose escape goes on behind it."""
    backslashes = len(part) - len(part.rstrip(b"\\"))
    return part[:-1] if backslashes % 2 else part


def _marks(part: bytes) -> NDArray[np.uint8]:
    """Brackets, commas and the quotes that begin or end a string."""
    if b"\\" in part:  # pairs first: what then still stands before a quote escapes it
        part = part.replace(b"\\\\", b"").replace(b'\\"', b"")
    return np.frombuffer(part.translate(None, _OTHERS), dtype=np.uint8)
