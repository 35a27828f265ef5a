"""A table of numbers as a picture: the darker a cell, the larger its number, which stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts.figure import Data, Frame, framed
from dashboard.charts.marks import cut, joined, text, width_of
from dashboard.numbers import Unit, number, told

_ROW, _HEAD, _DARKEST = 26.0, 22.0, 0.6
_ROOMY = 48.0  # pixels of a cell that has room for a place behind the point


@dataclass(frozen=True, slots=True)
class Cell:
    """One number with its interval, if it has one; value None: it cannot be told, note says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    members: int | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Heat:
    """Cells by row and column.

    corner: what the rows are. down, across: names of rows and columns. cells: (rows, columns).
    """

    title: str
    corner: str
    down: Sequence[str]
    across: Sequence[str]
    cells: Sequence[Sequence[Cell]]


def heat_figure(heat: Heat, frame: Frame, unit: Unit = "share") -> Markup:
    """The table as a ``<figure>``."""

    def draw(width: int) -> tuple[float, Markup]:
        return _drawn(heat, width, unit)

    return framed(frame, Markup(""), draw, _data(heat, frame, unit))


def _drawn(heat: Heat, width: int, unit: Unit) -> tuple[float, Markup]:
    longest = max(width_of(name) for name in (*heat.down, heat.corner))
    left = min(12 + longest, width * 0.35)
    wide = (width - left) / max(len(heat.across), 1)
    largest = max((c.value or 0.0 for row in heat.cells for c in row), default=0.0) or 1.0
    head, parts = _across(heat.across, left, wide)
    parts.append(text((0, head - 8), cut(heat.corner, left - 6), "axis"))
    for r, (name, row) in enumerate(zip(heat.down, heat.cells, strict=True)):
        top = head + r * _ROW
        parts.append(text((0, top + 17), cut(name, left - 6), "name"))
        for n, cell in enumerate(row):
            dark = _DARKEST * max(cell.value or 0.0, 0.0) / largest
            parts.append(
                Markup(
                    '<rect class="s0" x="{:.1f}" y="{:g}" width="{:.1f}" height="{:g}" '
                    'fill="currentColor" fill-opacity="{:.2f}"/>'
                ).format(left + n * wide, top, wide - 2, _ROW - 2, dark)
            )
            words = told(cell.value, unit, decimals=int(wide > _ROOMY) if unit == "share" else None)
            parts.append(text((left + (n + 0.5) * wide, top + 17), words, "", "middle"))
    return head + len(heat.down) * _ROW, joined(parts)


def _across(names: Sequence[str], left: float, wide: float) -> tuple[float, list[Markup]]:
    """How high the heads of the columns are, and these: aslant where they are too long."""
    longest = max((width_of(name) for name in names), default=0.0)
    if longest <= wide:
        return _HEAD, [
            text((left + (n + 0.5) * wide, 14), name, "axis", "middle")
            for n, name in enumerate(names)
        ]
    height = _HEAD + longest * 0.6
    return height, [
        Markup('<g transform="rotate(-40 {0:.1f} {1:.1f})">{2}</g>').format(
            left + (n + 0.4) * wide, height - 4,
            text((left + (n + 0.4) * wide, height - 4), name, "axis"),
        )
        for n, name in enumerate(names)
    ]  # fmt: skip


def _data(heat: Heat, frame: Frame, unit: Unit) -> Data:
    cells: list[list[str]] = []
    rows: list[list[str | float | None]] = []
    for name, row in zip(heat.down, heat.cells, strict=True):
        for where, cell in zip(heat.across, row, strict=True):
            shown = number(cell.value, unit) if cell.value is not None else cell.note or "–"
            ends = number(cell.low, unit), number(cell.high, unit)
            cells.append([name, where, shown, *ends, number(cell.members, "count")])
            rows.append([name, where, cell.value, cell.low, cell.high, cell.members])
    words = frame.words
    head = (
        heat.corner, "", words("value"), words("from"), words("to"), words("members"),
    )  # fmt: skip
    return Data(head, cells, ("row", "column", "value", "low", "high", "members"), rows)
