"""Numbers as people read them, and as machines do: both stand in the page."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, isfinite, log10
from typing import Literal

from markupsafe import Markup, escape

Unit = Literal["money", "share", "points", "count", "number"]
_MINUS = "−"
_AFTER = {"share": "%", "points": " pp"}


def told(
    value: float | None,
    unit: Unit = "number",
    *,
    signed: bool = False,
    decimals: int | None = None,
) -> str:
    """``value`` in words and digits; a dash where there is none.

    Args:
        unit: ``money`` of the workspace's currency; ``share`` of 1, told in percent; ``points``, a
            difference of shares, told in percentage points; ``count`` of whole things.
        signed: whether a value above zero gets its plus.
        decimals: behind the point; None: as many as show three digits that count.
    """
    if value is None or not isfinite(value):
        return "–"
    shown = 100 * value if unit in ("share", "points") else value
    if decimals is None:
        decimals = 0 if unit == "count" else _decimals(shown)
    size = f"{abs(shown):,.{decimals}f}"
    if not size.strip("0.,"):
        return f"0{_AFTER.get(unit, '')}"
    sign = _MINUS if value < 0 else "+" if signed else ""
    return f"{sign}{size}{_AFTER.get(unit, '')}"


def _decimals(value: float) -> int:
    """Three digits that count, at least one place behind the point below a thousand."""
    if value == 0 or abs(value) >= 1000:
        return 0
    if abs(value) >= 1:
        return 2
    return min(2 - floor(log10(abs(value))), 8)


def number(value: float | None, unit: Unit = "number", *, signed: bool = False) -> Markup:
    """The same as HTML, with the value unrounded for whoever reads the page by machine."""
    if value is None or not isfinite(value):
        return Markup("–")
    return Markup('<data value="{}">{}</data>').format(
        repr(value), told(value, unit, signed=signed)
    )


def between(
    low: float | None,
    high: float | None,
    unit: Unit = "number",
    words: Callable[[str], str] = str,
) -> Markup:
    """An interval as HTML, lower end first; empty where there is none. words: to the reader's
    language."""
    if low is None or high is None:
        return Markup("")
    return escape(words("{} to {}")).format(
        number(low, unit, signed=True), number(high, unit, signed=True)
    )
