"""Series over names, one below the other: bars, and intervals as in a forest plot."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts.marks import box, cut, joined, line, lines, mark, text, told_apart
from dashboard.charts.scale import Scale, values_of
from dashboard.numbers import Unit, told
from training.charts import Chart, Series

_NAME, _ROW, _GAP = 18.0, 18.0, 8.0  # heights, pixels
_BOTTOM, _LINE = 27.0, 15.0  # below the rows, and for each line of the axis' title


@dataclass(frozen=True, slots=True)
class _Point:
    """One row: of a series, at a name."""

    series: Series
    kind: str
    shape: str
    y: float
    ends: tuple[float, float] | None
    label: str


def lying(chart: Chart, width: int, unit: Unit) -> tuple[float, Markup]:
    """Height and content of the picture.

    A name stands above its rows, so that long ones fit a phone; what each row says stands at its
    right end.
    """
    rows = _rows(chart, unit)
    below = _BOTTOM + _LINE * len(lines(chart.y, width))
    height = below + sum(_NAME + _ROW * len(points) + _GAP for points in rows.values())
    label = 12 + 6.6 * max((len(one.label) for found in rows.values() for one in found), default=0)
    scale = Scale.over(
        values_of(chart.series), 16, max(width - label, width * 0.4), 4 if width > 500 else 2
    )
    parts = [_axis(scale, height - below, lines(chart.y, width), unit)]
    top = 0.0
    for name, points in rows.items():
        parts.append(text((0, top + 13), cut(name, 0.9 * width), "name"))
        for number, point in enumerate(points):
            middle = top + _NAME + _ROW * (number + 0.5)
            parts.append(_drawn(point, scale, middle))
            parts.append(text((width, middle + 4), point.label, "tick", "end"))
        top += _NAME + _ROW * len(points) + _GAP
    return height, joined(parts)


def _rows(chart: Chart, unit: Unit) -> dict[str, list[_Point]]:
    found: dict[str, list[_Point]] = {name: [] for name in chart.names}
    for one, kind, shape in told_apart(chart):
        if one.style == "guide":
            continue
        labels = one.labels or [told(float(y), unit) for y in one.y]
        for name, y, ends, label in zip(one.x, one.y, one.intervals, labels, strict=True):
            found[str(name)].append(_Point(one, kind, shape, float(y), ends, label))
    return found


def _axis(scale: Scale, bottom: float, titles: list[str], unit: Unit) -> Markup:
    parts = []
    for tick, words in scale.ticks(unit):
        at = scale.at(tick)
        parts.append(line((at, 0), (at, bottom), "zero" if tick == 0 else "grid"))
        parts.append(text((at, bottom + 15), words, "tick", "middle"))
    under = bottom + _BOTTOM + 7
    parts += [text((0, under + _LINE * n), words, "axis") for n, words in enumerate(titles)]
    return joined(parts)


def _drawn(point: _Point, scale: Scale, middle: float) -> Markup:
    at = scale.at(point.y)
    if point.series.style == "bars":
        start = scale.at(0)
        size = (max(abs(at - start), 1.0), _ROW - 5)
        return box((min(at, start), middle - (_ROW - 5) / 2), size, f"fill {point.kind}")
    parts = []
    if point.ends is not None:
        low, high = (scale.at(end) for end in point.ends)
        parts.append(line((low, middle), (high, middle), f"whisker {point.kind}"))
        parts += [
            line((end, middle - 4), (end, middle + 4), f"whisker {point.kind}")
            for end in (low, high)
        ]
    return joined([*parts, mark(point.shape, (at, middle), point.kind)])
